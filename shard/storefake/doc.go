// Package storefake is a database in memory with the semantics of storage.Store
// and storage.Members, which fails on demand. It stands for Postgres in the tests
// of packages that do not import storage, and passes the same conformance suite.
//
// A Store is one node's connection. Connections to the same database share what
// is durable and fail each for itself. What the views say is kept up to date by
// replaying each commit's events; what a trailing replica says is computed from
// the logs every time.
//
// It also holds its callers to what they promise (seqs without holes, ascending
// ids, fences for all that is written) and collects what was broken.
package storefake
