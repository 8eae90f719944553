// Package flags decides which stage a capability has for a key.
//
// Definitions are flagd's JSON (variants, targeting, fractional), so that any OpenFeature tool reads them. A capability's
// Flag adds what a shift needs: a version, the definition before and behind, and how far the shift has come. A decision is
// made in memory. The Router asks an OpenFeature client, whose provider is in here.
//
// Targeting is flagd's, of core v0.13.2, for the operators if, fractional, var, cat, ==, !=, ===, !==, in, starts_with,
// ends_with, and, or, !, <, <=, > and >=; a test compares random definitions with flagd itself. Whatever else a definition
// says is refused when it is read. Where flagd gives an error when it evaluates, so that its caller has to know what to do,
// the default variant counts here: each key has a stage, always the same one. (That is so for three of all 2^32 hashes, which
// flagd's arithmetic puts in no share, and for operators that get attributes of types that they don't take.) $flagd.timestamp
// is refused, and so is in a capability's flag any attribute: a key moves by shifts only.
package flags
