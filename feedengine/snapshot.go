package feedengine

// MaxUnread is where counting stops: a counter of MaxUnread means "or more".
const MaxUnread = 9_999

// LoadUser asks for what one user's view is built from.
type LoadUser struct {
	User string
	Page int // how many of the newest posts of the feed, 0 for none
}

// Snapshot is what one read-only database snapshot said of a batch of users,
// together with the position that it was taken at: exactly the events up to
// Heads are in it.
type Snapshot struct {
	Heads []Head       // of all logs, indexed by ShardID
	Users []LoadedUser // in the order in which they were asked for
}

// LoadedUser is one user's facts as of the snapshot's heads.
type LoadedUser struct {
	User    string
	Follows []Edge      // in order of Author
	Feed    LoadedCount // nothing by those in Hides
	Page    *Page       // nil when none was asked for

	Name  string       // the user's display name, "" when there is none
	Hides []Hide       // in order of Other, then Kind
	Notes LoadedCount  // unread notifications, nothing by those in Hides; their Author is not set
	Chats []LoadedChat // the conversations with unread messages, in order of Conversation
	// ChatTop is the highest of the user's read marks of all conversations.
	ChatTop ID
}

// LoadedChat is the counter of one conversation: messages by others, but for those
// whom a block hides. Its Total is above 0; Author is not set.
type LoadedChat struct {
	Conversation ID
	LoadedCount
}

// LoadedCount is the state of one counter.
type LoadedCount struct {
	Mark ID // the durable read mark, 0 when there is none
	// Unread holds the newest ids above Mark that count, ascending; at most as
	// many as the load asked for.
	Unread []UnreadID
	// Total is how many count in all, at most MaxUnread.
	Total int
}

// UnreadID is one unread post and whose it is.
type UnreadID struct {
	ID     ID
	Author string
}
