// Package chaos does to a cluster of its own what happens to clusters, while a
// scenario runs: nodes die, leave and join, Redis and Postgres are restarted, clients
// stop reading. The ledger must not notice.
package chaos
