// Package ledger says whether everybody got exactly what they should. It keeps no
// list of deliveries: its memory grows with posts and with connections, not with
// their product.
//
//	publish's ok ──▶ Post ──┐
//	                        ├─▶ Truth: each author's posts, by id
//	publish's ok ──▶ Post ──┘          │
//	event ──▶ Book.Event               ▼
//	page  ──▶ Book.Page ────────▶ Book.Check, Book.Unread
//
// A Book is one user's. For each author that something came from it holds how many
// posts came, and the last one's id. Three facts make that exact:
//
//   - What is taken is a post of that author: its text says which one, and its id
//     is compared with the one in publish's ok (package client, package fleet).
//   - The ids of one author are taken in ascending order, or there is a fault at
//     once. So they are distinct.
//   - If k distinct posts were taken, and the greatest is the k-th of those that
//     were addressed to the user, then they are the first k; and if there are no
//     more than k, they are all.
//
// Counters are computed from the same: how many posts of those whom the user follows
// stand above the mark that the server confirmed.
//
// It does no I/O, reads no clock and takes no lock.
package ledger
