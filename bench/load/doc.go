// Package load asks a server as fast as it answers: a fixed number of workers, each with one request at a time, over
// gRPC or HTTP.
//
// The clients are lean (requests are made beforehand where they can be, replies are read but not decoded), because on a
// small machine they take their share of the CPU from the server that is measured.
package load
