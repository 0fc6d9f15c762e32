// Command feedctl shows and steers a feedgate cluster, by the admin listener of
// any of its nodes.
//
//	feedctl nodes                 who there is, and how they do
//	feedctl shards                owner, epoch, head, residents and lag of each
//	feedctl drain NODE            have a node hand everything over and end
//	feedctl move SHARD NODE       have a shard served by a node
//	feedctl explain USER POST     what became of a post on its way to a user
//	feedctl check                 invariants and counters, on all nodes
//
// With --json it prints what the node answered, for scripts. Exit codes: 0 it is
// done, or all is well; 1 it could not be done; 2 the command line is wrong; 3 it
// was asked and something is not well (check, explain).
package main
