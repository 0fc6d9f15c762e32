// Package postgres keeps feedgate's facts in Postgres 14 or newer.
//
// # Data flow
//
//	log writer → Append → writer connection: one pipeline, one Sync, one commit
//	loader     → Load   → reader connection: one pipeline in one snapshot
//	pages, keys         → reader connections, one pipeline each
//	membership → Beat   → a connection of its own
//
// Two pools, so that reads never keep an append waiting: the writer pool holds
// the connection of the appends and a spare for claims, the reader pool is as
// large as the configuration says. Connections differ by run-time parameters
// alone (pool.go), so that a call needs no BEGIN and no SET: a reader's implicit
// transaction is a read-only snapshot, a writer's is READ COMMITTED under short
// timeouts.
//
// # What an append relies on
//
// All statements of an append are sent with one Sync at the end. Postgres runs
// such a pipeline as one implicit transaction, which the Sync commits, and which
// any failed statement aborts whole: the conditions of the commit (fences, keys)
// are statements that fail when they do not hold (feedgate_require in the
// migrations). Explicit BEGIN and COMMIT in the same pipeline would do the same
// with two statements more, and would leave a failed transaction open that takes
// another round trip to end.
//
// Rows of a shard's facts are only written under the lock of its row in shards,
// so appends and claims meet there, in shard order, and nowhere else.
//
// # What it does not do
//
// It does not run migrations when it opens a database (Migrate does, Open only
// checks), does not give out seqs, epochs or ids, and does not retry: what an
// error means for its call is said by its kind (errors.go), and what to do then
// is for the log writer and the loader to say.
//
// All SQL stands in queries.go, where a test finds it and holds each text to a
// plan without a sequential scan of a big table.
package postgres
