package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
)

// configFile is the name that a config has in a directory of its own.
const configFile = "banyan.yaml"

// LoadContract reads a contract alone: that of a config file, of a directory with a banyan.yaml, or all .proto files of
// a directory. Nothing else that a config names has to be there. The operations that contract.unserved names are told by
// unserved. Warnings are left to check.
func LoadContract(ctx context.Context, at string, lookup config.Lookup) (c *contract.Contract, unserved func(*contract.Operation) bool, err error) {
	var faults fault.List
	info, err := os.Stat(at)
	if err != nil {
		faults.Add(fault.Pos{File: at}, "name a directory of .proto files, or a banyan.yaml", "can't read the contract: %v", errors.Unwrap(err))
		return nil, nil, faults.Err()
	}
	roots := []contract.Root{contract.Dir(at, "")}
	var patterns []string
	file := at
	if info.IsDir() {
		file = filepath.Join(at, configFile)
	}
	if _, err := os.Stat(file); err == nil {
		cfg, found := config.Load(file, lookup)
		if len(cfg.Contract.Paths) == 0 {
			return nil, nil, found.Err() // it has to say where the contract is; its other faults don't matter here
		}
		patterns, roots = cfg.Contract.Unserved, nil
		for _, dir := range cfg.Contract.Paths {
			roots = append(roots, contract.Dir(dir, ""))
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	c, faults = contract.Load(ctx, roots)
	if err := faults.Err(); err != nil {
		return nil, nil, err
	}
	return c, func(op *contract.Operation) bool {
		for _, pattern := range patterns {
			if ok, err := path.Match(pattern, string(op.Name)); ok && err == nil {
				return true
			}
		}
		return false
	}, nil
}

// OpenAPI gives the OpenAPI document of a version, as it is served.
func OpenAPI(v *contract.Version, unserved func(*contract.Operation) bool) ([]byte, error) {
	return openapi.Document(v, openapi.Options{Unserved: unserved})
}
