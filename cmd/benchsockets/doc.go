// Command benchsockets measures what connections cost a node, each figure beside
// the floor that it found in the same run: a bare loop of write(2) over as many
// sockets, with the same clients.
//
//	benchsockets ──▶ bin/gateway       the node, SQLite in a directory of its own
//	             ──▶ itself, "clients" the lean clients of the node
//	             ──▶ itself, "floor"   accepts sockets, and writes
//	             ──▶ itself, "clients" the lean clients of the floor
//
// All are processes of their own, for their descriptors, CPU and memory to be
// their own. The children take commands as lines of JSON on standard input and
// answer with one each. Times that cross processes are CLOCK_MONOTONIC.
//
// It needs Linux, and about 2 GB. It leaves nothing behind.
package main
