// Package flags decides which stage a capability has for a key.
//
// Definitions are flagd's JSON (variants, targeting, fractional), so that any OpenFeature tool reads them. A capability's
// Flag adds what a shift needs: a version, the definition before and behind, and how far the shift has come. A decision is
// made in memory. The Router asks an OpenFeature client, whose provider is in here.
package flags
