//go:build !race

package gateway

const poolLosses = 0
