// Package client is one user's device: the protocol's client rules as a state
// machine, and the user's book in the ledger. docs/protocol.md is all it knows of
// the server.
//
//	lean.Conn ──▶ Client.Opened ──▶ connect, with resume if there was a socket before
//	          ──▶ Client.Text   ──▶ scan ──▶ events  ──▶ Run.seen: is it as published? ──▶ ledger.Book
//	                                    ├──▶ gap     ──▶ sync
//	                                    ├──▶ reset   ──▶ pages, until all that was left out is there
//	                                    ├──▶ hb      ──▶ ack
//	                                    └──▶ replies ──▶ what was wanted is done
//	          ──▶ Client.Closed ──▶ Host.Lost: when to come back
//
// A client does not give up what it wants: a request that got no answer, because the
// line was lost or the server asked to come later, is sent again. Only one of each
// kind is under way.
//
// An idle client is a struct of some 220 bytes, and 24 for each author that something
// came from. What is under way stands in a task beside it, for as long as it is.
//
// A Client is used by its connection's loop and by whoever drives it; mu guards all.
package client
