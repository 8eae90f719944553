package servicebench

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banyan.dev/banyan/internal/app"
)

// project is what a team would bring to Banyan.
//
//go:embed project
var project embed.FS

// service is the one that is told of orders, orderName the message.
const (
	service   = "orders"
	orderName = "orders.v1.Order"
)

// load reads the project, with a database and a broker. It needs a directory of its own for that.
func load(ctx context.Context, parent, dsn, broker string) (loaded *app.Project, err error) {
	dir, err := os.MkdirTemp(parent, "project-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the project: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	files, err := fs.Sub(project, "project")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return nil, fmt.Errorf("lay the project out: %w", err)
	}
	variables := map[string]string{"BENCH_DSN": dsn, "BENCH_BROKER": broker}
	loaded, faults := app.Load(ctx, filepath.Join(dir, "banyan.yaml"), func(name string) (string, bool) {
		value, set := variables[name]
		return value, set
	})
	return loaded, faults.Err()
}
