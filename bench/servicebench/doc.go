// Package servicebench measures what a new service is fed with: entity events, beside programs that send the same orders with
// their lines by hand, and fences, beside messages that go through the same queues alone.
package servicebench
