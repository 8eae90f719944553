// Package chaos runs Banyan's mirror under a load while everything around it fails at random, and tells whether what a
// consumer rebuilt from the events alone equals the legacy database.
//
// Two processes of Banyan, a MariaDB and a RabbitMQ run, with a proxy on each way between them. The faults and their
// times come from a seed, so that a run's plan can be had again; what meets what is up to the machine.
//
// RunShifts is another run, with a capability of package boxes instead of the shop: two replicas, clients through both, a new
// service, an operator who shifts and rolls back at random, the same faults, backfills, and a service that is ill at times and
// parks what it can't apply. In the end both sides have to be equal, with each acknowledged write once.
//
// What is promised of events is package replica's to judge.
package chaos
