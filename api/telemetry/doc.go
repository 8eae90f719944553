// Package telemetry tells operators what calls were made and how they went: a log line and metrics for each.
//
// It is a strangler.Backend around another, one a transport. It also turns a panic below it into INTERNAL, so that one
// call's fault ends that call only. What pools, mirrors and the like have to tell, they offer themselves.
package telemetry
