// Package route brings what users ask to the shard's owner, wherever that is, and
// what shards send to the sessions of the node that holds them.
//
//	gateway ─ Submit ─▶ Router ─┬─ Host (a shard of this node)
//	   ▲                  ▲     └─ Links ─▶ … ─▶ Server ─▶ Host (of the owner)
//	   └─ Deliver, Reset ─┘◀─ Links ◀─ … ◀─ Server ◀─ Deliver, Reset ─┘
//
// The Router is the gateway's side. Per shard it knows the owner (node, epoch) and
// the sessions attached there, and it makes good whatever links and owners lose:
//
//   - A session is sent its stream's events without a gap or not at all. When
//     something may be missing (a gap, messages lost on a link, another owner) the
//     session is lacking: nothing more is forwarded to it, and a Rejoin tells the
//     owner where it stands, again and again until the owner has confirmed the
//     place; the events after it follow. This one repair serves all cases.
//   - An ask is sent again until it is answered or its time is over; those whose
//     order counts (of one session; follows of one user) go one after the other.
//     Writes carry a key, so that none is carried out twice.
//   - While a shard has no owner, asks are held.
//
// The Server is the owner's side: it gives each gateway of another node a number,
// hands its asks to the Host, and what comes of them to the links.
//
// What it relies on: links bring messages in order, and tell of a loss before they
// bring what came after it; an owner has an epoch of its own; an engine confirms a
// rejoined session before it replays; session numbers of two lives of a gateway's
// node do not meet, as a late message for the earlier one may reach the later.
//
// What the package does not do: it decides nothing about who owns a shard (see
// shard/cluster), and it keeps no events: what was lost comes again from upstream.
package route
