package store

import "time"

// LockName gives the name of the leader's lock.
func LockName(o Options) string {
	o, _ = o.withDefaults()
	return lockName(o.Schema, o.Mirror)
}

// CoordinatorLock gives the name of the coordinator's lock.
func CoordinatorLock(o Options) string {
	o, _ = o.withDefaults()
	return coordinatorLock(o.Schema)
}

// SetClock gives the clock by which a Control counts how long replicas are silent.
func (c *Control) SetClock(now func() time.Time) { c.now = now }

// MigrationsLock gives the name of the lock of those who migrate.
func MigrationsLock(o Options) string {
	o, _ = o.withDefaults()
	return migrationsLock(o.Schema)
}
