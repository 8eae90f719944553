// Command banyan puts a versioned gRPC and REST facade in front of a legacy MySQL database. See package cli.
package main

import (
	"context"
	"os"
	_ "time/tzdata" // zones, on machines that have none

	"banyan.dev/banyan/internal/cli"
)

var version string // set by the linker

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Process(version)))
}
