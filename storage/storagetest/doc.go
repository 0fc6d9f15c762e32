// Package storagetest is the conformance suite of package storage: what one
// implementation does with the contract's calls, all must do.
//
// An implementation's own test makes a Harness and calls Run. The suite uses the
// contract alone; the few things that it cannot reach through it (a connection
// that breaks in a commit, a database of another release) are the Harness's.
//
// log*.go holds what concerns the log, its claims, keys and faults; views*.go
// what concerns the facts that views are built from.
package storagetest
