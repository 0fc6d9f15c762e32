// Package bus carries messages between nodes: to everybody who subscribed to a
// topic just now, or to nobody. It promises speed and order, not arrival.
//
//	Publish ─▶ bounded queue ─▶ one publisher ─ pipeline ─▶ Redis
//	                                                          │
//	handlers ◀─ one goroutine ◀──── one connection ◀──────────┘
//
// Redis is the bus of a cluster, Memory that of nodes in one process: tests,
// and the simulation, which has it drop, delay, double and reorder messages.
//
// What the package does not do: it tells nobody that a message was lost. Links
// (package link) number what they send and find out.
package bus
