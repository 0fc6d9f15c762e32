// Command gateway is feedgate: one process that holds sockets and owns shards.
//
//	main ── run ──> parse: flags, environment ──> Config
//	                 │
//	                 ├── serve    storage ─> shard host ─> gateway ─> listeners; the default
//	                 │            with REDIS_URL: storage, bus ─> cluster node ─> gateway ─> listeners
//	                 │            with FEEDGATE_WORKERS: a parent ─> that many of the above
//	                 ├── migrate  brings the database's tables up to this binary
//	                 └── token    prints a token for a user
//
// It is the only place that knows all parts and the only one that reads the
// environment, which it does in config.go. Parts start in the order of the
// picture and stop in the reverse one: first nobody comes in any more, then the
// sockets are told, then the shards write what they hold, then the database is
// closed. Of a cluster's node the shards go first, to others. Tests call run with a port of 0 and learn the addresses from its hook.
package main
