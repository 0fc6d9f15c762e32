package feedengine

// Handover is a shard's state on its way from one owner to the next: what the
// old owner's engine held, without sessions, which their gateways bring back by
// a RejoinInput. It is immutable from Export on.
type Handover struct {
	Shard ShardID
	Heads []Head   // what the views have applied, of all logs
	Next  StreamID // the next stream id that this line of owners gives out
	Views []HandoverView
	// Events are those that the views' tails refer to, each once.
	Events []*Event
}

// HandoverView is one user's view.
type HandoverView struct {
	User    string
	Follows []HandoverEdge
	Stream  StreamID
	N       uint64
	Tail    []uint32 // indices in Handover.Events, the newest last
	Feed    HandoverCounter
	V       uint64

	Name       string
	Hides      []Hide // in order of Other, then Kind
	Notes      HandoverCounter
	Chats      []HandoverChat // in order of Conversation
	ChatTop    ID             // no read mark of any conversation is above it
	ChatsStale bool           // must be recounted before they are told
}

// empty reports whether there is nothing that another counter lacks.
func (c *HandoverCounter) empty() bool {
	return c.Mark == 0 && len(c.Kept)+int(c.Below) == 0 && !c.More && !c.Stale
}

// social reports whether there is anything beside the feed.
func (v *HandoverView) social() bool {
	return v.Name != "" || len(v.Hides)+len(v.Chats) > 0 || v.ChatTop > 0 || v.ChatsStale || !v.Notes.empty()
}

// HandoverChat is the counter of a conversation with unread messages.
type HandoverChat struct {
	Conversation ID
	HandoverCounter
}

// HandoverEdge is whom a view follows, in the view's order. Young is the id up
// to which the author's posts are not addressed to the user, 0 when all to come are.
type HandoverEdge struct {
	Author string
	Young  ID
}

// HandoverCounter is one counter of a view.
type HandoverCounter struct {
	Mark  ID
	Kept  []UnreadID // the newest unread, ascending; of the feed, with their authors
	Below int32      // how many more there are below
	More  bool       // stopped counting
	Stale bool       // must be recounted before it is told
	Lost  bool       // and a mark that passes what is kept does not mend it
}
