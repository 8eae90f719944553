package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The faults. KillBanyan and KillBroker end a process by SIGKILL, and start it again after a while; PauseBanyan stops
// one by SIGSTOP, so that another leads when it wakes up, in the middle of what it did.
const (
	KillBanyan   Kind = "kill banyan"
	KillBoth     Kind = "kill both banyans"
	PauseBanyan  Kind = "pause banyan"
	KillDatabase Kind = "kill mariadb"
	KillBroker   Kind = "kill rabbitmq"
	MemoryAlarm  Kind = "memory alarm"
	DiskAlarm    Kind = "disk alarm"
	CutDatabase  Kind = "cut the way to mariadb"
	CutBroker    Kind = "cut the way to rabbitmq"
	HangDatabase Kind = "hang the way to mariadb"
	HangBroker   Kind = "hang the way to rabbitmq"
	SlowDatabase Kind = "slow the way to mariadb"
	SlowBroker   Kind = "slow the way to rabbitmq"
	Rotate       Kind = "rotate the binlog"
	AddColumn    Kind = "add a column"
	RenameColumn Kind = "rename a column"
	MoveColumn   Kind = "reorder columns"
	RetypeColumn Kind = "retype a column"
	DropColumn   Kind = "drop a column"
	SwapTable    Kind = "swap a table, as gh-ost does"
	TruncateOne  Kind = "truncate a table"
)

// Kinds lists all faults.
func Kinds() []Kind {
	return []Kind{
		KillBanyan, KillBoth, PauseBanyan, KillDatabase, KillBroker, MemoryAlarm, DiskAlarm, CutDatabase, CutBroker, HangDatabase, HangBroker,
		SlowDatabase, SlowBroker, Rotate, AddColumn, RenameColumn, MoveColumn, RetypeColumn, DropColumn, SwapTable, TruncateOne,
	}
}

// Fault is one that begins At after the run's beginning, and lasts For, where it lasts.
type Fault struct {
	Kind    Kind
	At, For time.Duration
	// Target is which of the two Banyans it is about.
	Target int
	// Dice chooses what the fault leaves open, such as a table.
	Dice uint64
}

func (f Fault) String() string {
	return fmt.Sprintf("%6.2fs %s (banyan %d, %.1fs)", f.At.Seconds(), f.Kind, f.Target, f.For.Seconds())
}

// Plan gives the faults of a seed for a length of time. They come in rounds that have each kind once, so that a run
// that is long enough for a round has them all.
func Plan(seed uint64, length time.Duration) []Fault {
	dice := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // A plan is no secret.
	between := func(low, high time.Duration) time.Duration { return low + time.Duration(dice.Int64N(int64(high-low))) }
	var plan []Fault
	at := between(500*time.Millisecond, 1500*time.Millisecond)
	for {
		round := Kinds()
		dice.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		for _, kind := range round {
			if at >= length {
				return plan
			}
			plan = append(plan, Fault{Kind: kind, At: at, For: between(shortest(kind), longest(kind)), Target: dice.IntN(2), Dice: dice.Uint64()})
			at += between(200*time.Millisecond, 1500*time.Millisecond)
		}
	}
}

// shortest and longest bound how long faults last. A pause is at times longer than leadership is kept for a silent leader.
func shortest(k Kind) time.Duration {
	switch k {
	case PauseBanyan:
		return 3 * time.Second
	default:
		return 200 * time.Millisecond
	}
}

func longest(k Kind) time.Duration {
	switch k {
	case PauseBanyan:
		return 9 * time.Second
	case KillBanyan, KillBoth:
		return time.Second
	default:
		return 3 * time.Second
	}
}
