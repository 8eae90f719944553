package shift

import (
	"fmt"
	"time"

	"banyan.dev/banyan/flags"
)

// headroom is how much greater than the greatest version that is known of the next one is: others may have been published
// that nobody has written under.
const headroom = 16

// Recover gives the state of a capability of which there is a greater version than its state's: the store that keeps it was
// restored from a backup, or is new. Where the keys have been since can't be known, so that all of them go to legacy, which
// has every write: as in a rollback from live, all open writes are ended or given up. The new service is filled anew. who stands
// in the history; id is the command's.
func Recover(r Rules, s State, greatest uint64, id string, now time.Time) (State, []Action) {
	t := &turn{Rules: r, State: s.clone(), seen: Observation{Now: now}}
	to := s.reached()
	if t.Highest(to).Rank() > flags.Shadow.Rank() {
		to = flags.Uniform(flags.Shadow)
	}
	reason := fmt.Sprintf("the control store has gone back to version %d, and there was a version %d: all keys go to legacy", s.Version, greatest)
	t.take(Command{ID: id, Rollback: true, To: to, Who: "banyan", Reason: reason, Was: "unknown"}, "control store gone back")
	t.Version = max(t.Version, greatest) + headroom
	t.State.Backfill = Backfill{}
	t.hold(flags.Uniform(flags.Live), to, true)
	return t.State, t.actions
}
