package pool

// counts only grow.
type counts struct {
	waited, refused, timedOut, opened, connectFailed uint64
}

// Stats says how the pool is used. Counters count from Open.
type Stats struct {
	// MaxOpen is the bound; Open are the connections that are there or being made; InUse are lent; Idle are not.
	MaxOpen, Open, InUse, Idle int
	// Waiting are the callers in the queue.
	Waiting int
	// Reachable is false while connecting fails.
	Reachable bool
	// Waited counts callers who had to wait, Refused those who found the queue full, TimedOut those who waited in vain.
	Waited, Refused, TimedOut uint64
	// Opened counts connections made, ConnectFailed those that could not be.
	Opened, ConnectFailed uint64
	// Killed counts abandoned statements that were ended in the server, KillFailed those that were not.
	Killed, KillFailed uint64
}

// Stats gives the figures of this moment.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		MaxOpen: p.options.MaxOpen, Open: p.open, InUse: p.open - p.dialing - len(p.idle), Idle: len(p.idle),
		Waiting: p.queue.length, Reachable: p.breaker.IsClosed(),
		Waited: p.counts.waited, Refused: p.counts.refused, TimedOut: p.counts.timedOut,
		Opened: p.counts.opened, ConnectFailed: p.counts.connectFailed,
		Killed: p.killer.killed.Load(), KillFailed: p.killer.failed.Load(),
	}
}
