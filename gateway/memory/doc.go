// Package memory watches how much memory the process holds, beside how much it
// may, and says when nobody new is to be let in.
//
//	runtime/metrics ──once a second──▶ Watch ──▶ Over: the gateway refuses, the shards evict
//	                                     └─────▶ metrics, /readyz
//
// There are two figures. What is held is all that the Go runtime has of the
// system; the runtime's own limit (GOMEMLIMIT), which is at most the budget, has
// it collect more often rather than let that grow. What is needed is what no
// collection would free: live objects, stacks, the runtime's own tables. The
// process is over its budget when what is needed leaves less than a fifth of it
// for garbage, for below that the collector would take the CPU from those who are
// connected; or when more is held than the budget in spite of all. A quiet process
// that holds much more than it needs gives that back.
//
// It deliberately does not: count memory that is not the Go runtime's (the page
// caches of the embedded database, some megabytes; the kernel's socket buffers),
// look into containers (cmd/gateway does).
package memory
