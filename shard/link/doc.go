// Package link carries messages between the nodes of a cluster over a bus that
// may lose, delay, double and reorder them.
package link
