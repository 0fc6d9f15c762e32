// Package sqlite is the embedded store: package storage's contract in one
// directory, without a server. It is what a node runs on when nobody configures
// anything.
//
// One process owns a directory; a lock file says so, which the kernel gives back
// when that process ends, however it ends. Inside, one connection writes
// (mu guards it) and a few read, each from the snapshot that its transaction
// began with: SQLite's WAL lets them work side by side. The writer commits with
// synchronous=FULL, so nothing is acknowledged before it is on disk.
//
// The package speaks to the driver without database/sql: a connection belongs to
// one goroutine at a time and keeps its prepared statements, and the pooling in
// between costs a third of a row's insert.
//
// A post's row is its log event too. What an edit or a deletion changes is kept for
// the log until the event leaves it (posts.event); likes and comments came later,
// and a log's event has none. What is beside feeds costs them nothing: a plain post
// is written as ever, and users from whom nobody is hidden are loaded by queries
// that do not ask about hides.
//
// All SQL stands in queries.go. What the planner makes of it is tested.
//
// It deliberately does not share a directory between processes, replicate, or
// retry: what failed is told, and the next call finds the connection clean.
package sqlite
