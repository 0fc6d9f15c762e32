package feedengine

import "time"

// SessionID names one socket's attachment. It is unique among all that a
// gateway process ever opens.
type SessionID uint64

// Request is a user's wish, on its way from a gateway to the shard that
// carries it out.
type Request struct {
	User     string
	Deadline time.Time // after it the request is refused, not run; zero: none
	Do       Action
	// Done is called exactly once with the outcome, on a goroutine that must
	// not be held up: it may queue, it may not wait.
	Done func(Result)
}

// Action is the sealed set of what can be asked of a shard. HomeOf says which.
type Action interface{ action() }

type (
	// Publish makes a post durable. Result: Post.
	Publish struct {
		Text string
		Kind string // KindOfPost or KindOfJob
		Key  string // idempotency key, or ""
		More *More  // nil: a public text
	}
	// Delete withdraws the user's own post.
	Delete struct{ Post ID }
	// Edit changes the user's own post. Result: Post.
	Edit struct {
		Post      ID
		Text      *string  // nil: stays
		Media     *[]Media // nil: stays
		Followers *bool    // nil: stays
		Job       *Job     // nil: stays
	}
	// LikePost likes a post that the user can see, or takes that back. Doing so
	// again changes nothing. Result: Likes.
	LikePost struct {
		Post ID
		Off  bool
	}
	// AddComment comments on a post that the user can see. Result: Comment.
	AddComment struct {
		Post ID
		Text string
		Key  string // idempotency key, or ""
	}
	// Send sends a message to a conversation, or when that is 0 to the one of the
	// user and To, which it opens if need be. Result: Message.
	Send struct {
		To           []string // at most MaxMembers with the user
		Conversation ID
		Text         string
		Media        []Media
		Reply        ID     // 0: none
		Key          string // idempotency key, or ""
	}
	// Received says that the user's device has got a conversation's messages up to
	// Upto. Result: Upto.
	Received struct {
		Conversation ID
		Upto         ID
	}
	// HideUser hides another user, or ends that; Kind is HideBlock or HideMute. Doing
	// so again changes nothing.
	HideUser struct {
		User string
		Kind HideKind
		Off  bool
	}
	// PutProfile replaces the user's profile. What is unique and taken: Conflict.
	// Result: Profile.
	PutProfile struct{ Profile Profile }
	// Follow follows all Users by one durable event. Result: Since.
	Follow struct {
		Users  []string
		Notify bool // tell them; a bulk follow tells nobody
	}
	// Unfollow is the reverse of Follow.
	Unfollow struct{ Users []string }
	// Read moves a read mark. Result: Stream, Unread, Upto.
	Read struct {
		Of           List
		Upto         ID
		Conversation ID // ListMessages: whose
	}
	// Unread asks for the counters. Result: Stream, Unread, Chats.
	Unread struct{}
	// Attach begins the delivery of the user's stream to a session. Result:
	// Stream, N, Resumed, Replay, Unread and, when Page is above 0, Page. Done is
	// called before the first Delivery to the session.
	Attach struct {
		Session SessionID
		Resume  *Resume
		Page    int // newest posts wanted, 0 to 100
	}
	// Detach ends it. It is never refused, and nothing is delivered after Done.
	Detach struct{ Session SessionID }
	// Sync asks for the events after N again. Done is called first, then come
	// those events or a Reset, then live ones.
	Sync struct {
		Session SessionID
		N       uint64
	}
	// SetState says whether the session's app is in the background, where only
	// counters are delivered. Back in the foreground come the events since, or
	// a Reset.
	SetState struct {
		Session    SessionID
		Background bool
	}
)

func (Publish) action()    {}
func (Delete) action()     {}
func (Edit) action()       {}
func (LikePost) action()   {}
func (AddComment) action() {}
func (Send) action()       {}
func (Received) action()   {}
func (HideUser) action()   {}
func (PutProfile) action() {}
func (Follow) action()     {}
func (Unfollow) action()   {}
func (Read) action()       {}
func (Unread) action()     {}
func (Attach) action()     {}
func (Detach) action()     {}
func (Sync) action()       {}
func (SetState) action()   {}

// Resume is where a client left its stream.
type Resume struct {
	Stream StreamID
	N      uint64
}

// Result is the outcome of a Request. Err is nil on success, and then the
// fields that the action's comment names are set.
type Result struct {
	Err     *Error
	Post    *Post
	Since   ID
	Upto    ID
	Stream  StreamID
	N       uint64
	Resumed bool
	Replay  int // how many events follow to bring a resumed session up to N
	Counts  Counts
	Page    *Page

	Likes   int
	Comment *Comment
	Message *Message
	Profile *Profile
	Chats   []ChatCount
}

// ChatCount is how many messages of a conversation are unread, at least 1.
type ChatCount struct {
	Conversation ID
	Unread       uint32
}
