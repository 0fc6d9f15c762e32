package ledger

import (
	"fmt"
	"slices"
	"sort"
)

// Post is a post or a message that was published: the server has said so.
type Post struct {
	Number int    // of the schedule
	Author uint32 // who published it; of a message, Talk and the conversation's number
	From   uint32 // of a message, who sent it
	ID     int64  // what the server called it
	Acked  int64  // when its ok came, CLOCK_MONOTONIC in nanoseconds; 0: never, but it was seen
}

// Talk is added to a conversation's number to make of it an author's: a conversation
// is a line of posts like a person's, and what holds for one holds for the other. Only
// the sender of each message has to be known beside.
const Talk uint32 = 1 << 31

// Truth is everything that was published, by all processes together.
type Truth struct {
	lines map[uint32]*line
	ids   map[int64]int // number by id
}

// line is one author's posts, or one conversation's messages.
type line struct {
	ids   []int64  // ascending
	acked []int64  // of each
	from  []uint32 // of each, in a conversation
}

// NewTruth sorts posts. It is an error if the server gave one id to two of them.
func NewTruth(posts []Post) (*Truth, error) {
	t := &Truth{lines: map[uint32]*line{}, ids: make(map[int64]int, len(posts))}
	posts = slices.Clone(posts)
	slices.SortFunc(posts, func(a, b Post) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	for _, p := range posts {
		if other, there := t.ids[p.ID]; there {
			return nil, fmt.Errorf("ledger: posts %d and %d have the same id %d", other, p.Number, p.ID)
		}
		t.ids[p.ID] = p.Number
		l := t.lines[p.Author]
		if l == nil {
			l = &line{}
			t.lines[p.Author] = l
		}
		l.ids, l.acked = append(l.ids, p.ID), append(l.acked, p.Acked)
		if p.Author >= Talk {
			l.from = append(l.from, p.From)
		}
	}
	return t, nil
}

// Number is the number of the post with an id.
func (t *Truth) Number(id int64) (int, bool) {
	n, ok := t.ids[id]
	return n, ok
}

// Posts is how many there are.
func (t *Truth) Posts() int { return len(t.ids) }

// above is an author's posts with an id above since.
func (t *Truth) above(author uint32, since int64) line {
	l := t.lines[author]
	if l == nil {
		return line{}
	}
	i := sort.Search(len(l.ids), func(i int) bool { return l.ids[i] > since })
	rest := line{ids: l.ids[i:], acked: l.acked[i:]}
	if l.from != nil {
		rest.from = l.from[i:]
	}
	return rest
}

// settled is how many of the line's first posts had their ok before a time.
func (l line) settled(before int64) (n int) {
	for n < len(l.ids) && l.acked[n] != 0 && l.acked[n] < before {
		n++
	}
	return n
}
