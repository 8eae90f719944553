//go:build race

package volume_test

// raced says that the race detector is in, which needs memory of its own.
const raced = true
