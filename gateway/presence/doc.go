// Package presence knows who is online, as far as somebody watches.
//
//	sockets come and go ─▶ state ─▶ who is shown as what, on this node
//	   other nodes' messages ─▶│
//	                           ├──▶ one message a second to the other nodes
//	                           └──▶ when users were last connected, to storage
//
// Nothing of it is durable but the time at which users were last connected, and
// nothing is known of users whom nobody watches: a node tells the others whom its
// clients watch, and they answer with those who are there, now and from then on.
// A user is gone when the last socket has been closed for Grace: who reconnects
// sooner never went. All that is told expires unless it is told again, so that lost
// messages and dead nodes show for at most half a minute.
//
// state is pure: it reads no clock, starts nothing and calls nothing but Here.
// Tracker is the goroutine and the lock around it.
//
// What the package does not do: it does not know who may watch whom.
package presence
