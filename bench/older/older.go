// Package older has an older version of the benchmark's contract, in three services: one has the newer version's layout, one
// other names and numbers, and one fields that expressions fill. Beside it stands how it is a translation.
package older

//go:generate go run ../../internal/generate -gateway=false .
