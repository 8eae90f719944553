// Package mirrorbench compares Banyan's mirror with a hand-written one, and with decoding the log alone, side by side on
// one MariaDB and one RabbitMQ: how many rows a second they drain of a log that is there already, what a row costs them
// in CPU and memory, and how long it takes from a commit to the broker's confirm while rows are written at a steady rate.
//
// Each contender is a process of its own, so that its CPU and memory are its own.
package mirrorbench
