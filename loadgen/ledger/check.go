package ledger

import (
	"fmt"
	"slices"
)

// MaxCount is where the server stops counting: it then means "or more".
const MaxCount = 9_999

// Check compares a book with what was published. following is whom the user follows
// by the graph, ascending, and the conversation that the user is in. A post that had its ok more than grace nanoseconds before
// an unfollow was asked for must have come; one that is younger may have.
func (b *Book) Check(t *Truth, user uint32, following []uint32, grace int64, fault func(Kind, string)) (expected int) {
	for _, author := range with(following, user) {
		switch b.churn.phase(author) {
		case follows:
			expected += b.checkEdge(t, author, fault)
		case absent: // what came is in a window that is closed
		default:
			fault(Unrepaired, fmt.Sprintf("nobody knows whether %d is followed", author))
		}
	}
	for i := range b.edges {
		if a := b.edges[i].author; a != user && !contains(following, a) {
			fault(Unexpected, fmt.Sprintf("%d posts came of %d, who is not followed", b.edges[i].count, a))
		}
	}
	if b.churn != nil {
		for i := range b.churn.closed {
			expected += b.churn.closed[i].check(t, grace, fault)
		}
	}
	return expected
}

func (b *Book) checkEdge(t *Truth, author uint32, fault func(Kind, string)) (expected int) {
	want := t.above(author, b.churn.since(author))
	var e edge
	if b.Knows(author) {
		e = *b.find(author)
	}
	switch n := len(want.ids); {
	case int(e.count) < n:
		fault(Missing, fmt.Sprintf("%d of %d posts of %d came; the last has id %d, it should be %d", e.count, n, author, e.last, want.ids[n-1]))
	case int(e.count) > n:
		fault(Unexpected, fmt.Sprintf("%d posts of %d came, %d were for this user", e.count, author, n))
	case n > 0 && e.last != want.ids[n-1]:
		fault(Missing, fmt.Sprintf("as many posts of %d came as should, %d, but not the same: the last has id %d, it should be %d",
			author, n, e.last, want.ids[n-1]))
	}
	return len(want.ids)
}

func (w *window) check(t *Truth, grace int64, fault func(Kind, string)) (expected int) {
	want := t.above(w.author, w.since)
	least := want.settled(w.asked - grace)
	n := int(w.count)
	switch {
	case n < least:
		fault(Missing, fmt.Sprintf("%d posts of %d came before the unfollow, at least %d should have", n, w.author, least))
		return least
	case n > len(want.ids) || n > 0 && w.last != want.ids[n-1]:
		fault(Missing, fmt.Sprintf("the %d posts of %d that came before the unfollow are not the first: the last has id %d", n, w.author, w.last))
	}
	return n
}

// Unread is what the feed's counter must be.
func (b *Book) Unread(t *Truth, user uint32, following []uint32) uint32 {
	n := 0
	if b.Mark == 0 {
		n = int(b.Base)
	}
	for _, author := range following {
		if author == user || author >= Talk || b.churn.phase(author) != follows {
			continue
		}
		n += len(t.above(author, max(b.Mark, b.churn.since(author))).ids)
	}
	return uint32(min(n, MaxCount))
}

// UnreadTalk is what the counter of a conversation must be, and that of all messages
// where there is no other.
func (b *Book) UnreadTalk(t *Truth, user, talk uint32) uint32 {
	n := 0
	if b.TalkMark == 0 {
		n = int(b.TalkBase)
	}
	for _, from := range t.above(talk, b.TalkMark).from {
		if from != user {
			n++
		}
	}
	return uint32(min(n, MaxCount))
}

func contains(following []uint32, author uint32) bool {
	_, there := slices.BinarySearch(following, author)
	return there
}

// with is the followed and the user, whose own posts come too.
func with(following []uint32, user uint32) []uint32 {
	i, there := slices.BinarySearch(following, user)
	if there {
		return following
	}
	return slices.Insert(slices.Clone(following), i, user)
}
