// Package relations reads from a server which foreign keys change other tables without a trace in its binlog, and fills
// mirror.Relations with them.
//
// InnoDB carries out ON DELETE and ON UPDATE actions below the binlog: a deleted parent is one event, however many
// children went with it (MySQL 8.4 manual, 20.5.1.13; MariaDB knowledge base, "Foreign Keys"). MySQL 9.6 and later carry
// them out above it, and log each child's row; there, nothing is related in this sense.
//
// It does not say what an event about a cascade looks like: that is the mirror's.
package relations
