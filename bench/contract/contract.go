// Package contract has the contract that both sides of the benchmark serve. Banyan reads the .proto files; the baseline
// has the code that is generated from them, beside them.
package contract

import "embed"

//go:generate go run ../../internal/generate .

// FS is the root of the .proto files.
//
//go:embed bench/v1/*.proto
var FS embed.FS
