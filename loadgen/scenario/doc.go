// Package scenario is what a run does, as data: a small JSON file. Those that come
// with the program are in shipped/, and docs/loadgen.md explains the fields.
//
// A scenario says nothing of how many clients there are, and nothing of when exactly
// what is done: package schedule works that out.
package scenario
