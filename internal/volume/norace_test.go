//go:build !race

package volume_test

const raced = false
