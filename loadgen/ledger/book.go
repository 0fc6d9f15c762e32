package ledger

import "slices"

// Book is what one user got. The zero value is empty.
type Book struct {
	Base uint32 // the feed's unread counter when the run began
	Mark int64  // the read mark that the server has confirmed in this run; 0: none

	TalkBase uint32 // the counter of messages when the run began
	TalkMark int64  // the read mark of the conversation that the server has confirmed in this run; 0: none

	newest int64
	edges  []edge // ascending by author: those that something came from
	churn  *churn // nil: nobody was followed or unfollowed in this run
}

// edge is what came from one author.
type edge struct {
	author uint32
	count  uint32
	last   int64 // id of the last that came, by event or page
	stream int64 // id of the last that came by event; below last after a page
}

// find is the place of an author's edge, made if it is not there.
func (b *Book) find(author uint32) *edge {
	i, there := slices.BinarySearchFunc(b.edges, author, func(e edge, a uint32) int { return int(e.author) - int(a) })
	if !there {
		b.edges = slices.Insert(b.edges, i, edge{author: author})
	}
	return &b.edges[i]
}

// Knows reports whether something has come from an author, so that whether the user
// follows them need not be asked again.
func (b *Book) Knows(author uint32) bool {
	_, there := slices.BinarySearchFunc(b.edges, author, func(e edge, a uint32) int { return int(e.author) - int(a) })
	return there
}

// Last is the id of the last that came from an author, 0 when nothing has.
func (b *Book) Last(author uint32) int64 {
	if !b.Knows(author) {
		return 0
	}
	return b.find(author).last
}

// Newest is the greatest id of a post that has come.
func (b *Book) Newest() int64 { return b.newest }

// Event takes a post that came as an event, and was due to be published at a time,
// CLOCK_MONOTONIC in nanoseconds. "" is as it should be.
func (b *Book) Event(author uint32, id, due int64) Kind {
	if b.churn.phase(author) == absent {
		return b.churn.late(author, id, due)
	}
	e := b.find(author)
	switch {
	case id == e.stream:
		return Doubled
	case id < e.stream:
		return Swapped
	}
	e.stream = id
	if id <= e.last { // a page has brought it already
		return ""
	}
	e.last = id
	e.count++
	b.came(author, id)
	return ""
}

// Page takes a post of a page that was asked for because events were left out. The
// posts of all pages must come in ascending order. It reports whether it is new.
func (b *Book) Page(author uint32, id int64) bool {
	if b.churn.phase(author) != follows || id <= b.churn.since(author) {
		return false
	}
	e := b.find(author)
	if id <= e.last {
		return false
	}
	e.last = id
	e.count++
	b.came(author, id)
	return true
}

func (b *Book) came(author uint32, id int64) {
	if author < Talk {
		b.newest = max(b.newest, id)
	}
}

// Taken is how many posts and messages came.
func (b *Book) Taken() (n int) {
	for i := range b.edges {
		n += int(b.edges[i].count)
	}
	if b.churn != nil {
		for i := range b.churn.closed {
			n += int(b.churn.closed[i].count)
		}
	}
	return n
}
