package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banyan.dev/banyan/internal/app"
)

// ready is what the ready file holds.
type ready struct {
	// REST, GRPC and Admin are host:port.
	REST  string `json:"rest"`
	GRPC  string `json:"grpc"`
	Admin string `json:"admin"`
	// Second is the second replica's REST, GRPCSecond its gRPC, AdminSecond its admin listener.
	Second      string `json:"second_rest"`
	GRPCSecond  string `json:"second_grpc"`
	AdminSecond string `json:"second_admin"`
	// Orders is where the new order service takes gRPC.
	Orders string `json:"orders"`
	// LegacyDSN is a go-sql-driver DSN of the old shop's database, with all rights.
	LegacyDSN string `json:"legacy_dsn"`
	AMQPURL   string `json:"amqp_url"`
	// Config is the path of banyan.yaml.
	Config string `json:"config"`

	program string // how the command was called
}

func newReady(at [2]app.Addresses, servers *servers, s *shop, program string) ready {
	return ready{
		REST: at[0].REST, GRPC: at[0].GRPC, Admin: at[0].Admin, Second: at[1].REST, GRPCSecond: at[1].GRPC, AdminSecond: at[1].Admin, Orders: s.service,
		LegacyDSN: s.dsn, AMQPURL: servers.broker.URL(""), Config: s.config, program: program,
	}
}

// write writes the ready file.
func (r ready) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the ready file's directory: %w", err)
	}
	return writeWhole(path, append(text, '\n'))
}

func removeReady(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the ready file: %w", err)
	}
	return nil
}
