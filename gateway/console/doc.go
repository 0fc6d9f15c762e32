// Package console is what operators see and do on the admin listener: the
// cluster as a live page and as JSON, and the wishes that feedctl sends.
//
//	GET  /                       the page
//	GET  /cluster                nodes, shards, owners, links, moves
//	GET  /cluster/live           the same, and what it was like in the last minutes
//	GET  /cluster/explain        ?user=U&post=ID: what became of a post on its way to a user
//	POST /cluster/drain          {"node":"n1"}: as SIGTERM does to it
//	POST /cluster/move           {"shard":7,"node":"n2"}
//	GET  /cluster/check          the invariants and the counters' audit, on all nodes
//
// It knows a cluster only through the functions of Cluster, which cmd/gateway
// fills in, and asks for no token: the admin listener is not for the public. A
// page of another origin that somebody has open can read nothing and wish for
// nothing here.
package console
