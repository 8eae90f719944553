package store

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
