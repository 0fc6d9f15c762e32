// Package cluster puts the parts of one node of a cluster together and decides
// which shards it owns.
package cluster
