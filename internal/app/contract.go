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

// Contract is a contract read alone, with what its config tells its clients.
type Contract struct {
	*contract.Contract
	opts   openapi.Options
	faults fault.List // of what the config says of who may call
}

// LoadContract reads a contract alone: that of a config file, of a directory with a banyan.yaml, or all .proto files of
// a directory. Nothing else that a config names has to be there. Warnings are left to check.
func LoadContract(ctx context.Context, at string, lookup config.Lookup) (*Contract, error) {
	var faults fault.List
	info, err := os.Stat(at)
	if err != nil {
		faults.Add(fault.Pos{File: at}, "name a directory of .proto files, or a banyan.yaml", "can't read the contract: %v", errors.Unwrap(err))
		return nil, faults.Err()
	}
	roots := []contract.Root{contract.Dir(at, "")}
	var cfg *config.Config
	file := at
	if info.IsDir() {
		file = filepath.Join(at, configFile)
	}
	if _, err := os.Stat(file); err == nil {
		var found fault.List
		cfg, found = config.Load(file, lookup)
		if len(cfg.Contract.Paths) == 0 {
			return nil, found.Err() // it has to say where the contract is; its other faults don't matter here
		}
		roots = nil
		for _, dir := range cfg.Contract.Paths {
			roots = append(roots, contract.Dir(dir, ""))
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, faults := contract.Load(ctx, roots)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	out := &Contract{Contract: c}
	if cfg != nil {
		out.tell(cfg)
	}
	return out, nil
}

// tell takes what a config tells clients. Whether a write's tables keep keys only a database knows.
func (c *Contract) tell(cfg *config.Config) {
	older, wrong := bindVersions(cfg, c.Contract)
	bound, found := bindPolicy(cfg, c.Contract, older)
	wrong.Append(found)
	c.faults = wrong
	c.opts = describe(cfg, bound, older)
	c.opts.Unserved = func(op *contract.Operation) bool {
		for _, pattern := range cfg.Contract.Unserved {
			if ok, err := path.Match(pattern, string(op.Name)); ok && err == nil {
				return true
			}
		}
		return false
	}
	c.opts.Keys = func(op *contract.Operation) bool {
		return cfg.Idempotency.Enabled && !op.ServerStreaming && !c.opts.Unserved(op)
	}
}

// OpenAPI gives the OpenAPI document of a version, as it is served.
func (c *Contract) OpenAPI(v *contract.Version) ([]byte, error) {
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return openapi.Document(v, c.opts)
}
