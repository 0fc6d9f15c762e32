// Package liar is a server that answers as docs/protocol.md says, for a few users and
// out of memory, and tells one lie. The load generator has to find every one of them:
// that is its self-test. Without a lie it must find nothing.
//
//	HTTP following ──▶ user.follows
//	publish        ──▶ every follower's stream ──▶ their sockets
//	message        ──▶ every member's stream ──▶ their sockets
//	                        ▲ lies are told here, and in the answers
//
// One mutex guards everything: it is made to be right, not fast.
package liar
