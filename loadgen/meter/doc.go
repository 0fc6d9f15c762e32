// Package meter measures: times that go across processes, distributions of
// latencies, and the load generator itself, which must not be the bottleneck.
//
// All processes of a run are on one machine: times are CLOCK_MONOTONIC.
package meter
