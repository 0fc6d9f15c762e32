package feedengine

import "iter"

// EventKind says what a durable event of a log records. The numbers are stored;
// they never change their meaning.
type EventKind uint8

const (
	KindPost        EventKind = 1 // Actor published Post
	KindPostDeleted EventKind = 2 // Actor, the author, deleted the post Target
	KindFollow      EventKind = 3 // Actor follows Users from the event's ID on
	KindUnfollow    EventKind = 4 // Actor no longer follows Users

	KindPostEdited EventKind = 5  // Actor, the author, changed Post, which is the whole new one
	KindLike       EventKind = 6  // Actor likes a post: Fact is a Like
	KindUnlike     EventKind = 7  // Actor takes a like back: Fact is a Like
	KindComment    EventKind = 8  // Actor wrote a comment: Fact is a Comment; Users are mentioned in it
	KindMessage    EventKind = 9  // Actor sent a message to Users, the conversation's members, of whom Actor is one: Fact is a Message
	KindSeen       EventKind = 10 // Actor has got or read a conversation so far: Fact is a Seen; Users are the senders to be told
	KindBlock      EventKind = 11 // Actor and Users, who is one, are hidden from each other
	KindUnblock    EventKind = 12
	KindMute       EventKind = 13 // Users, who is one, is hidden from Actor
	KindUnmute     EventKind = 14
	KindProfile    EventKind = 15 // Actor's profile is now Fact, a Profile

	// 16 to 31 are kept for what is to come.

	// From here on: events of streams that are in no log. Those that are made of a
	// log's event keep its place and its ID.

	// KindRead says that another device moved the read mark of List to Target, in
	// the conversation Fact.(*Seen) when List is ListMessages.
	KindRead EventKind = 32
	// KindVoid is what is replayed in the place of a withdrawn event.
	KindVoid EventKind = 33
	// KindNote is a notification, new or changed: Fact is a Note.
	KindNote EventKind = 34
	// KindNoteGone withdraws the notification Target.
	KindNoteGone EventKind = 35
	// KindHidden says that all that Actor wrote is hidden from the stream's user
	// from now on; KindShown that it is no longer.
	KindHidden EventKind = 36
	KindShown  EventKind = 37
	// KindReceipt tells a sender that Actor has got or read messages: Fact is a Seen.
	KindReceipt EventKind = 38
)

// Stored reports whether events of the kind stand in logs.
func (k EventKind) Stored() bool { return k >= KindPost && k <= KindProfile }

// Event is one durable fact, at its place in the log of one shard. Once it has
// been appended it is immutable and shared by all who read it.
type Event struct {
	Shard ShardID
	Epoch uint64 // claim under which it was appended
	Seq   uint64 // its number in the shard's log: 1, 2, 3 … without holes
	ID    ID     // greater than the ID of any earlier event of the same log
	Kind  EventKind

	Actor  string   // who did it
	Name   string   // the actor's display name when they did it, "" when they had none
	Post   *Post    // KindPost, KindPostEdited
	Target ID       // KindPostDeleted: the post; KindRead: the mark; KindNoteGone: the notification
	Users  []string // whom else it is about, without repetition: see the kinds. KindPost: who is mentioned. KindPostDeleted: who else has notifications of the post
	List   List     // KindRead; KindHidden: ListFeed when messages are still shown, as for a mute, else 0
	Fact   Fact     // what else the kind needs; nil when nothing
}

// Travels reports whether the event can concern users of other shards than that
// of its log.
func (e *Event) Travels() bool {
	switch e.Kind {
	case KindPost, KindPostDeleted, KindPostEdited, KindMessage, KindBlock, KindUnblock:
		return true
	case KindFollow, KindUnfollow:
		f, _ := e.Fact.(*Following)
		return f != nil && (f.Notify && e.Kind == KindFollow || len(f.Since) > 0 && e.Kind == KindUnfollow)
	case KindComment, KindSeen:
		return len(e.Users) > 0
	}
	return false
}

// About names the users, beside the Actor's followers, whose views the event may
// concern; some perhaps twice.
func (e *Event) About() iter.Seq[string] { return e.about }

func (e *Event) about(yield func(user string) bool) {
	all := func(users []string) bool {
		for _, user := range users {
			if !yield(user) {
				return false
			}
		}
		return true
	}
	switch e.Kind {
	case KindPost, KindPostDeleted, KindPostEdited, KindBlock, KindUnblock, KindSeen:
		_ = yield(e.Actor) && all(e.Users) && (e.Kind != KindPost || all(e.Post.alerts()))
	case KindFollow, KindUnfollow:
		_ = yield(e.Actor) && e.Travels() && all(e.Users)
	case KindMute, KindUnmute, KindProfile:
		yield(e.Actor)
	case KindLike, KindUnlike:
		if like, ok := e.Fact.(*Like); ok {
			yield(like.Owner)
		}
	case KindComment:
		if c, ok := e.Fact.(*Comment); ok {
			_ = yield(c.Owner) && all(e.Users)
		}
	case KindMessage:
		all(e.Users)
	}
}

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
