package feedengine

import (
	"encoding/json"
	"fmt"
	"time"
)

// Fact is the sealed set of what an event may carry beside its own fields. Facts
// are immutable, like their events.
type Fact interface{ fact() }

// Like is a like of a post, or one that is taken back. It stands in the log of
// the post's shard, which is its author's. All likes of a post within a window are
// one notification, whose ID is that of the first one's event.
type Like struct {
	Post  ID     `json:"post"`
	Owner string `json:"owner"` // the post's author
	// Note is the notification that the like is, or was, a part of; 0 for the
	// author's own like.
	Note ID `json:"note,omitempty"`
	// Edge: a like begins the notification; a like that is taken back was its last.
	Edge bool `json:"edge,omitempty"`
	// Likes is how many the post has after it.
	Likes int `json:"likes"`
	// Count is how many likes the notification stands for after it, and Others are
	// the actors of the newest of them, at most three, newest first.
	Count  int      `json:"count,omitempty"`
	Others []string `json:"others,omitempty"`
}

// Comment is a comment on a post, in the log of the post's shard. Its ID and its
// author are its event's; as a notification it has that ID too.
type Comment struct {
	ID     ID     `json:"id,omitempty"`
	Post   ID     `json:"post"`
	Owner  string `json:"owner"` // the post's author
	Author string `json:"author,omitempty"`
	Text   string `json:"text"`
}

// Message is a message of a conversation, in the log of the conversation's shard.
// Its ID and its sender are its event's.
type Message struct {
	ID           ID      `json:"id,omitempty"`
	Conversation ID      `json:"conversation"`
	From         string  `json:"from,omitempty"`
	Text         string  `json:"text"`
	Reply        ID      `json:"reply,omitempty"` // the message that it answers, older than this one; 0: none
	Media        []Media `json:"media,omitempty"`
	Opens        bool    `json:"opens,omitempty"` // it is the conversation's first
}

// Seen says how far a user has got or read a conversation. It stands in the
// user's own log.
type Seen struct {
	Conversation ID   `json:"conversation"`
	Upto         ID   `json:"upto"`
	Read         bool `json:"read,omitempty"` // read, which includes got
}

// Following tells more of a follow or an unfollow.
type Following struct {
	// Notify: the followed are told. Bulk follows tell nobody.
	Notify bool `json:"notify,omitempty"`
	// Since are, of an unfollow, the IDs of the follows that it ends, in the order
	// of Users: the IDs of their notifications too.
	Since []ID `json:"since,omitempty"`
}

// Profile is what a user tells of themselves. Email, Phone and Subject are for the
// user and for services alone.
type Profile struct {
	User    string `json:"user,omitempty"`
	Handle  string `json:"handle,omitempty"`  // unique without regard to case, 1 to 30 of A-Z a-z 0-9 _ ; "": none
	Name    string `json:"name,omitempty"`    // for display, at most 100 bytes
	Avatar  string `json:"avatar,omitempty"`  // a URL
	Email   string `json:"email,omitempty"`   // unique without regard to case
	Phone   string `json:"phone,omitempty"`   // unique, + and 6 to 15 digits
	Subject string `json:"subject,omitempty"` // unique: the user's name at an identity provider
}

// Note is a notification as its user is shown it.
type Note struct {
	ID      ID
	Kind    NoteKind
	Actor   string   // who did it; of several, the newest
	Name    string   // the actor's display name, "" when there is none
	Others  []string // NoteLike: the newest actors, at most three, Actor first
	Count   int      // NoteLike: how many; else 1
	Post    ID       // what it is about, 0: nothing (NoteFollow)
	Comment ID       // NoteComment, and NoteMention in a comment; else 0
}

// At is the time of the notification.
func (n *Note) At() time.Time { return n.ID.Time() }

// NoteKind is why a user is notified. The values are stored and stand on the wire.
type NoteKind string

const (
	NoteLike    NoteKind = "like"
	NoteComment NoteKind = "comment"
	NoteFollow  NoteKind = "follow"
	NoteMention NoteKind = "mention"
	NoteJob     NoteKind = "job" // a new job matches a saved search
)

func (*Like) fact()      {}
func (*Comment) fact()   {}
func (*Message) fact()   {}
func (*Seen) fact()      {}
func (*Following) fact() {}
func (*Profile) fact()   {}
func (*Note) fact()      {}

// At is when the comment was accepted.
func (c *Comment) At() time.Time { return c.ID.Time() }

// At is when the message was accepted.
func (m *Message) At() time.Time { return m.ID.Time() }

// newFact is an empty fact of what events of the kind carry, nil when that is none.
func newFact(k EventKind) Fact {
	switch k {
	case KindLike, KindUnlike:
		return &Like{}
	case KindComment:
		return &Comment{}
	case KindMessage:
		return &Message{}
	case KindSeen, KindReceipt, KindRead:
		return &Seen{}
	case KindFollow, KindUnfollow:
		return &Following{}
	case KindProfile:
		return &Profile{}
	case KindNote:
		return &Note{}
	}
	return nil
}

// AppendFact encodes what an event's Fact says, as JSON whose names never change
// their meaning; nothing when there is none. Stores, links and handovers use it.
func AppendFact(dst []byte, e *Event) ([]byte, error) {
	if e.Fact == nil {
		return dst, nil
	}
	b, err := json.Marshal(e.Fact)
	if err != nil {
		return dst, fmt.Errorf("fact of event %d: %w", e.ID, err)
	}
	return append(dst, b...), nil
}

// ReadFact sets the Fact of an event whose other fields stand, from what
// AppendFact wrote. Whatever the bytes are, it allocates no more than a small
// multiple of them; it does not check that texts are fit for clients.
func ReadFact(e *Event, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	f := newFact(e.Kind)
	if f == nil {
		return fmt.Errorf("events of kind %d carry no fact", e.Kind)
	}
	if err := json.Unmarshal(data, f); err != nil {
		return fmt.Errorf("fact of event %d: %w", e.ID, err)
	}
	e.Fact = f
	return nil
}
