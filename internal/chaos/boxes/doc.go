// Package boxes is a small system for runs that shift a capability: a legacy with boxes that things are put into, and a new
// service that keeps them in a database of its own. Every thing has its own name, so that none can be lost or doubled unseen.
package boxes
