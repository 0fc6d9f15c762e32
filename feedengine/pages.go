package feedengine

import "time"

// Pages that views do not hold. Lists are newest first, and Next is what to ask for
// as `before` to go on, 0 at the end.

// CommentPage is a piece of the comments on a post.
type CommentPage struct {
	Comments []*Comment
	Next     ID
}

// NotePage is a piece of a user's notifications.
type NotePage struct {
	Notes []*Note
	Next  ID
}

// MessagePage is a piece of a conversation. Seen says how far each of the other
// members has got, in order of User.
type MessagePage struct {
	Messages []*Message
	Next     ID
	Seen     []MemberSeen
}

// MemberSeen is how far a member has got and read a conversation; 0: nothing yet.
type MemberSeen struct {
	User      string
	Got, Read ID
}

// Conversation is one row of a user's list of conversations.
type Conversation struct {
	ID      ID
	Members []string // ascending, the user among them
	Last    *Message // its newest that is not hidden from the user, nil: there is none
	Unread  uint32
	Read    ID // the user's read mark
}

// ConversationPage is a piece of a user's list of conversations, by their last
// message, newest first. Next is the id of the last one's Last message.
type ConversationPage struct {
	Conversations []*Conversation
	Next          ID
}

// JobQuery selects jobs. Zero fields select nothing away.
type JobQuery struct {
	Text      string    // words that all must occur, in whatever form
	Category  string    // exactly, without regard to case
	Location  string    // likewise
	SalaryMin int64     // jobs that pay at least so much at their best
	SalaryMax int64     // jobs that pay at most so much at their least
	Currency  string    // exactly
	Closing   bool      // closed ones, too
	ClosesBy  time.Time // those that close at that time or before
	Now       time.Time
	Before    string // JobPage.Next of the page before; "": from the start
	Limit     int    // 1 to 100
}

// JobPage is a piece of what a JobQuery found: with Text the best match first, else
// the newest. Next is opaque, "" at the end.
type JobPage struct {
	Jobs []*Post
	Next string
}

// Search is a saved search of a user, who is notified of jobs that match it.
type Search struct {
	ID    ID
	Name  string   // for people, at most 100 bytes
	Query JobQuery // without ClosesBy, Now, Before, Limit
}

// MaxSearches is how many searches a user may save; MaxAlerts how many users a new
// job notifies, those with the newest searches first.
const (
	MaxSearches = 50
	MaxAlerts   = 10_000
)

// ProfileKey names a profile by one of its unique fields; the others are "".
type ProfileKey struct {
	User, Handle, Email, Phone, Subject string
}

// Credentials are what a login is checked against.
type Credentials struct {
	User string
	Hash string // in PHC format, "" when no password was set
}

// LastSeen is when a user was last connected.
type LastSeen struct {
	User string
	At   time.Time
}
