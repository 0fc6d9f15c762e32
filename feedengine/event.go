package feedengine

import "time"

// EventKind says what a durable event of a log records. The numbers are stored;
// they never change their meaning.
type EventKind uint8

const (
	KindPost        EventKind = 1 // Actor published Post
	KindPostDeleted EventKind = 2 // Actor, the author, deleted the post Target
	KindFollow      EventKind = 3 // Actor follows Users from the event's ID on
	KindUnfollow    EventKind = 4 // Actor no longer follows Users

	// 5 to 31 are kept for edits, likes, comments, messages, notifications,
	// blocks and mutes.

	// KindRead is not in any log: a stream's event that another device moved
	// the read mark of List to Target.
	KindRead EventKind = 32
	// KindVoid is not in any log: what is replayed in the place of a withdrawn event.
	KindVoid EventKind = 33
)

// Event is one durable fact, at its place in the log of one shard. Once it has
// been appended it is immutable and shared by all who read it.
type Event struct {
	Shard ShardID
	Epoch uint64 // claim under which it was appended
	Seq   uint64 // its number in the shard's log: 1, 2, 3 … without holes
	ID    ID     // greater than the ID of any earlier event of the same log
	Kind  EventKind

	Actor  string   // who did it
	Post   *Post    // KindPost
	Target ID       // KindPostDeleted: the post; KindRead: the mark
	Users  []string // KindFollow, KindUnfollow: whom, without repetition
	List   List     // KindRead
}

// Post is what an author published. Its time is its ID's.
type Post struct {
	ID       ID
	Author   string
	Kind     string // "post"
	Text     string
	Likes    int
	Comments int
}

// At is when the post was accepted, UTC, to the millisecond.
func (p *Post) At() time.Time { return p.ID.Time() }

// List names one of the things that are counted and have a read mark.
type List uint8

const (
	ListFeed          List = 1
	ListNotifications List = 2
	ListMessages      List = 3
)

func (l List) String() string {
	switch l {
	case ListFeed:
		return "feed"
	case ListNotifications:
		return "notifications"
	case ListMessages:
		return "messages"
	}
	return "unknown"
}

// Head is the last position of one shard's log.
type Head struct {
	Epoch uint64 // of the latest claim
	First uint64 // the seq with which that epoch begins
	Seq   uint64 // of the last event, 0 when there is none
	ID    ID     // of the last event, 0 when there is none
}

// Mark is a user's read mark of one list: everything up to and including Upto
// has been seen. Marks merge by maximum.
type Mark struct {
	User string
	List List
	Upto ID
}
