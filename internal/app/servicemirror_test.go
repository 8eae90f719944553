package app

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/entities"
	"banyan.dev/banyan/mirror/change"
)

// A database that is dropped with an entity's tables is seen, also where it is not the DSN's and nothing in it has changed before.
func TestADroppedDatabaseIsSeen(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			dsn := server.NewSchema(t)
			admin, err := sql.Open("mysql", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			for _, statement := range []string{"DROP DATABASE IF EXISTS dropped_crm", "DROP DATABASE IF EXISTS dropped_other", "CREATE DATABASE dropped_crm", "CREATE TABLE dropped_crm.notes (id INT PRIMARY KEY, box INT)", "CREATE DATABASE dropped_other"} {
				if _, err := admin.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			p, faults := loadTold(t, "services: {search: {entities: {lab.v1.Box: {key: id}}}}\n")
			if err := faults.Err(); err != nil {
				t.Fatal(err)
			}
			event := p.event("lab.v1.Box")
			event.Tables = append(event.Tables, legacy.EventTable{Schema: "dropped_crm", Table: "notes", Column: "box"})
			told := entities.New(entities.Options{Contract: p.Contract, Schema: "s", Entities: map[protoreflect.FullName]entities.Entity{"lab.v1.Box": {Event: event}}})
			source, err := binlog.New(binlog.Options{DSN: dsn, Scope: newScope(p.Config).readsFor(told)})
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			at, err := source.Tail(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{"DROP DATABASE dropped_other", "DROP DATABASE dropped_crm"} {
				if _, err := admin.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			stream, err := source.Open(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for {
				e, err := stream.Next(ctx)
				if err != nil {
					t.Fatal(errors.Join(errors.New("it is not seen"), err))
				}
				if s, ok := e.(*change.Statement); ok {
					if s.Op != change.Drop || s.Schema != "dropped_crm" || s.Table != "" {
						t.Errorf("%+v comes first", s)
					}
					return
				}
			}
		})
	}
}
