// Package shop is the example: an old shop's database, the contract that clients see of it, and the SQL between them.
//
// This package only carries the files that a team would bring, so that a program can lay them out somewhere. The old
// shop itself is in the packages below: schema (its tables), generate (what is in them), oldshop (the old application,
// which goes on writing).
package shop

import (
	"embed"
	"io/fs"
)

//go:embed banyan.yaml contract sql versions
var files embed.FS

// Files gives banyan.yaml and the trees contract, sql and versions that it names.
func Files() fs.FS { return files }
