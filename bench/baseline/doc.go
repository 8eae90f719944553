// Package baseline is the service that Banyan is measured against: what a good Go team writes by hand for the same
// contract and the same tables. Generated messages, grpc-go, grpc-gateway registered in process, database/sql with
// prepared statements and a bounded pool, deadlines, and errors mapped to codes.
//
// It has no logs, metrics, request ids or limits on running calls, which Banyan has.
package baseline
