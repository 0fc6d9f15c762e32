package link

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A message that was lost and is followed by none shows only in the sender's
// heartbeats. These travel on another topic: with one Redis behind all that they
// count, with Redis Cluster perhaps ahead of it. So what is missing has a moment
// to come in.

// compare looks at where the sender says that its numbering stands.
func (r *receiving) compare(in *inbound, head LinkHead) {
	if head.To != 0 && head.To != r.l.opts.Self.Incarnation || !in.behind(head) {
		return
	}
	if in.since.IsZero() {
		r.suspects++
		in.since, in.suspect = time.Now(), head
	}
}

// behind reports whether messages up to head have not come.
func (in *inbound) behind(head LinkHead) bool {
	return head.Stream > in.stream && head.Seq > 0 || head.Stream == in.stream && head.Seq > in.last
}

// trust ends a suspicion.
func (r *receiving) trust(in *inbound) {
	if !in.since.IsZero() {
		r.suspects--
		in.since = time.Time{}
	}
}

// checkTails says Lost for what has been missing for at least grace.
func (r *receiving) checkTails(grace time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doForget()
	if r.suspects == 0 {
		return
	}
	for _, in := range slices.SortedFunc(maps.Values(r.peers), byNode) {
		switch {
		case in.since.IsZero() || time.Since(in.since) < grace:
		case !in.behind(in.suspect):
			r.trust(in)
		default:
			in.stream, in.last = in.suspect.Stream, in.suspect.Seq
			r.l.count.tails.Inc()
			r.lost(in)
		}
	}
}

func byNode(a, b *inbound) int { return cmp.Compare(a.peer.Node, b.peer.Node) }
