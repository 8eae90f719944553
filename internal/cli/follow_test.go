package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

func TestFollowTellsEachThingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var said strings.Builder
		done := follow(t.Context(), &said, func(ctx context.Context) (*adminv1.CapabilityStatus, error) {
			told := &adminv1.CapabilityStatus{Phase: "hold-legacy", Version: 8, Shift: "waits for shop-b"}
			switch at := time.Since(begun); {
			case at < time.Second:
				return &adminv1.CapabilityStatus{Phase: "steady", Version: 7}, nil
			case at > 3*time.Second:
				return nil, errors.New("down")
			case at > 2*time.Second:
				told.Phase, told.Version, told.Shift = "hold-target", 9, "waits for \x1b[31mall"
			}
			return told, ctx.Err()
		})
		time.Sleep(5 * time.Second)
		done()
		if want := "    1.1 s  hold-legacy, version 8: waits for shop-b\n    2.1 s  hold-target, version 9: waits for �[31mall\n"; said.String() != want {
			t.Errorf("got\n%s\nwant\n%s", said.String(), want)
		}
	})
}

func TestColumns(t *testing.T) {
	for on, want := range map[paint]string{
		false: "A  KEY\nö  b\nc\n",
		true:  "\x1b[2mA\x1b[0m  \x1b[2mKEY\x1b[0m\n\x1b[31mö\x1b[0m  b\nc\n",
	} {
		got := on.columns([]string{"A", "KEY"}, [][]string{{"ö", "b"}, {"c", ""}}, func(row, column int) string {
			return shade(row == 0 && column == 0, red, "")
		})
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 412 * time.Millisecond: "412 ms", 2400 * time.Millisecond: "2.4 s", 200*time.Second + 1: "3m20s",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
}
