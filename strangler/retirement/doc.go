// Package retirement is how a version of the contract ends: it counts who still calls operations that are deprecated, and
// refuses those of a version that is gone, once its operator has said so.
package retirement
