// Package schedule says when everything of a run is to happen, and who does it: a
// pure function of the scenario, a seed and the number of clients. It has no clock
// and knows nothing of what came of it: the load is open-loop. A server that slows
// down does not slow the load down, and latency counts from the time that stands
// here.
//
//	scenario ──▶ Plan ──▶ Cursor ──▶ tasks in the order of their time
//
// Every process that takes part works through the whole plan and does what falls
// to its own clients.
package schedule
