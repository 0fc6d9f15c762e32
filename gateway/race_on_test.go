//go:build race

package gateway

// poolLosses: under the race detector sync.Pool loses a part of what it is given,
// on purpose. Four pooled things are used in what TestDeliverAllocs measures.
const poolLosses = 4
