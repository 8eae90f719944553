// Package limit keeps one caller from taking what the others need: it bounds how many calls run at once, and how long
// each may run.
//
// It is a strangler.Backend around another. Sizes of requests and replies are bounded where they are read, in packages
// rest and grpc; connections to legacy in package legacy/pool.
package limit
