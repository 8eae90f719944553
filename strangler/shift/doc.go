// Package shift decides what happens next when keys move from one side to the other.
//
// It is pure: Begin takes a person's command, Step what was seen of the world, and both give the next State and what is to
// be done. They have no clock, ask nobody and make up nothing, so that a test can walk through all that can happen. Whoever
// calls them saves the State first, by compare and swap, and then does the Actions, in their order; each may be done twice,
// or by another process that takes over. What is not done is asked for again, because Step goes by what it sees.
//
// The way forward, for keys that move from legacy to modern:
//
//	prepare   a fence goes down the mirror's path, so that its lag is not waited out while writes are held
//	settle    HoldLegacy is published; until no replica has a write under way that was decided before
//	drain     (only when others move back meanwhile) until no live write is open that was
//	fence     until modern has applied all of it, and refuses writes of older epochs
//	target    HoldTarget is published; until all replicas read there
//	finish    Steady is published; until all replicas have it
//
// Back is settle, drain and finish. What is open then gets a short grace, and is void: legacy wins. Modern is told later,
// in Settling, and is never waited for. A way forward that takes too long goes back by itself, from target through retreat:
// HoldLegacy again, so that nobody reads in modern what is then written in legacy.
package shift
