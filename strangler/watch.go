package strangler

import (
	"banyan.dev/banyan/flags"
)

// watch ends what is under way for the write once its row is not open any more, so that a modern that hangs can't keep a
// caller whose write a rollback has voided.
//
// At hold there is still a grace, in which the write may be brought home. What comes behind it comes once rows were voided:
// then the row tells.
func (l *liveWrite) watch() {
	l.watcher.Go(func() {
		version := l.row.Epoch
		for l.router.opts.Waiter.Wait(l.going, l.member.Name, version) == nil {
			d, err := l.router.decide(l.going, l.member.managed, l.key)
			if err != nil {
				if !pause(l.going, longPause) {
					return
				}
				continue
			}
			version = d.Version
			if d.Stage != flags.Hold && l.overtaken(d) {
				l.giveUp(errNotOpenAnyMore)
				return
			}
		}
	})
}

// overtaken says whether the row is not open any more. Where the key is legacy's, that is only a matter of time.
func (l *liveWrite) overtaken(d flags.Decision) bool {
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		end := l.member.steps.look(l.going, &Write{ID: l.row.ID})
		switch {
		case end.state != WriteOpen:
			return true
		case end.why == nil && d.Stage.Authority() == flags.Modern:
			return false
		case !pause(l.going, wait):
			return false
		}
	}
}
