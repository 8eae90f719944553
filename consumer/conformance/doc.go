// Package conformance holds a running service, in any language and on any store, against what docs/consuming.md asks of it. It
// plays Banyan: it declares the service's exchange, sends entity events and fences, makes live writes, and reads back by the
// entity's Get what came of them.
//
// The service must be fed by nothing else meanwhile, and its store be one that is thrown away: the run leaves entities behind, and
// raises the capability's epoch so far that writes of a real flag would be refused.
//
// It owns the promises and how each is tried. It does not know configs or command lines: package internal/cli does.
package conformance
