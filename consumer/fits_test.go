package consumer

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"banyan.dev/banyan/protocol"
)

// dense gives a name that no server can make shorter.
func dense(from string, length int) string {
	var b strings.Builder
	for sum := sha256.Sum256([]byte(from)); b.Len() < length; sum = sha256.Sum256(sum[:]) {
		b.WriteString(base64.RawStdEncoding.EncodeToString(sum[:]))
	}
	return b.String()[:length]
}

// An event whose names fit is applied and parked by each database; what can't be kept is refused before that: it would be tried for ever.
func TestWhatFitsCanBeKept(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		for i, spoil := range []func(*protocol.EntityEvent){
			func(*protocol.EntityEvent) {},
			func(e *protocol.EntityEvent) { e.Event = "0-1-\x00" },
			func(e *protocol.EntityEvent) { e.Event = strings.Repeat("e", 70_000) },
			func(e *protocol.EntityEvent) {
				e.Entity, e.ID, e.Key = dense("entity", 1020), dense("id", 1020), dense("key", 1020)
			},
			func(e *protocol.EntityEvent) {
				e.Entity, e.ID, e.Version = dense("entity", 1020), dense("id", 1020), dense("version", 1020)
			},
			func(e *protocol.EntityEvent) {
				e.Entity, e.ID, e.Version = dense("e", 255), dense("id", 1020), dense("version", 1020)
			},
		} {
			for _, fails := range []bool{true, false} {
				e := event(10*i+1, protocol.OriginLegacy, "c", "a", "1")
				if !fails {
					e = event(10*i+2, protocol.OriginLegacy, "d", "b", "1")
				}
				if spoil(&e); s.store.fits(e) != nil {
					continue
				}
				r := s.runner(t)
				r.Apply = func(context.Context, *sql.Tx, protocol.EntityEvent) error {
					if fails {
						return errors.New("no")
					}
					return nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				if err := r.one(ctx, e); err != nil {
					t.Errorf("event %d fits, and is tried for ever: %v", i, err)
				}
				cancel()
			}
		}
	})
}

// A service may name what it has written by anything; what its database can't keep is an error that trying again doesn't mend.
func TestAWriteOfWhatIsNoText(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		_, err := s.store.Write(t.Context(), "things", Tag{"w", 1}, wrapperspb.String(""), func(*sql.Tx) ([]EntityRef, error) {
			return []EntityRef{{Entity: "test.Thing", ID: "a\xff", Key: "c"}}, nil
		})
		if reason(err) != "InvalidArgument BANYAN_NAME_REFUSED" {
			t.Errorf("got %v", err)
		}
	})
}
