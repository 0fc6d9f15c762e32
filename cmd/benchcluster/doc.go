// Benchcluster measures what a cluster of three nodes on one machine does: real
// processes, real Postgres and Redis, real sockets.
//
//	latency  publish to socket when the author's node, the follower's shard and
//	         the follower's gateway are three different ones
//	cpu      all processor time of nodes and Redis for each delivery of a post to
//	         1,000 followers
//	outage   Redis away for 5 s under traffic
//	moves    the pause of moving shards with 400 resident users each, under traffic
//	grow     what a fourth node takes from three
//
// It needs TEST_POSTGRES_URL (.ci/with-services gives one) and redis-server in
// the path, and starts and stops the rest by itself.
package main
