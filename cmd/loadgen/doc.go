// Command loadgen drives a feedgate server with many clients and proves that every
// one of them got exactly what it should. docs/loadgen.md is its manual.
//
//	loadgen run       a scenario against a server
//	loadgen seed      bring the follow graph to a server
//	loadgen report    compare runs
//	loadgen chaos     a scenario against a cluster of its own, with faults
//	loadgen loadtest  what `make loadtest` does
//	loadgen selftest  does it find the faults of a server that lies?
//
// It ends with 0 when all was whole and valid, with 1 when not, with 2 after a mistake
// in the arguments, and with 3 when there could be no run.
package main
