// Package bustest is the conformance suite of package bus, which every kind of bus
// must pass, and real Redis servers for tests to start and kill.
package bustest
