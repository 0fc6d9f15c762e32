package wire

import (
	"strconv"
	"time"
)

// The ok objects of what apps have beside the feed. Next is what to ask for as
// before to go on, 0 or "" at the end.

// Liked is {"likes":12}.
type Liked struct{ Likes int }

func (o Liked) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"likes":`...)
	dst = strconv.AppendInt(dst, int64(o.Likes), 10)
	return append(dst, '}')
}

// Commented is {"comment":{…}}.
type Commented struct{ Comment Comment }

func (o *Commented) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"comment":`...)
	dst = o.Comment.AppendJSON(dst)
	return append(dst, '}')
}

// Comments is {"comments":[…],"next":"…"}.
type Comments struct {
	Comments []Comment
	Next     int64
}

func (o *Comments) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"comments":`...)
	dst = appendList(dst, o.Comments, func(dst []byte, c *Comment) []byte { return c.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendCursor(dst, o.Next)
	return append(dst, '}')
}

// Notifications is {"notifications":[…],"next":"…"}.
type Notifications struct {
	Notifications []Notification
	Next          int64
}

func (o *Notifications) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"notifications":`...)
	dst = appendList(dst, o.Notifications, func(dst []byte, n *Notification) []byte { return n.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendCursor(dst, o.Next)
	return append(dst, '}')
}

// Sent is {"message":{…}}.
type Sent struct{ Message Message }

func (o *Sent) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"message":`...)
	dst = o.Message.AppendJSON(dst)
	return append(dst, '}')
}

// Conversations is {"conversations":[…],"next":"…"}.
type Conversations struct {
	Conversations []Conversation
	Next          int64
}

func (o *Conversations) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"conversations":`...)
	dst = appendList(dst, o.Conversations, func(dst []byte, c *Conversation) []byte { return c.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendCursor(dst, o.Next)
	return append(dst, '}')
}

// Messages is {"messages":[…],"next":"…","seen":[…]}.
type Messages struct {
	Messages []Message
	Next     int64
	Seen     []Seen
}

func (o *Messages) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"messages":`...)
	dst = appendList(dst, o.Messages, func(dst []byte, m *Message) []byte { return m.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendCursor(dst, o.Next)
	dst = append(dst, `,"seen":`...)
	dst = appendList(dst, o.Seen, func(dst []byte, s *Seen) []byte { return s.AppendJSON(dst) })
	return append(dst, '}')
}

// Got is {"upto":"…"}: up to where the user's devices have a conversation now.
type Got struct{ Upto int64 }

func (o Got) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"upto":`...)
	dst = appendID(dst, o.Upto)
	return append(dst, '}')
}

// Jobs is {"posts":[…],"next":"…"} with a next that only the store can read.
type Jobs struct {
	Posts []Post
	Next  string
}

func (o *Jobs) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"posts":`...)
	dst = appendList(dst, o.Posts, func(dst []byte, p *Post) []byte { return p.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendString(dst, o.Next)
	return append(dst, '}')
}

// Saved is {"search":{…}}.
type Saved struct{ Search Search }

func (o *Saved) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"search":`...)
	dst = o.Search.AppendJSON(dst)
	return append(dst, '}')
}

// Searches is {"searches":[…]}.
type Searches struct{ Searches []Search }

func (o *Searches) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"searches":`...)
	dst = appendList(dst, o.Searches, func(dst []byte, s *Search) []byte { return s.AppendJSON(dst) })
	return append(dst, '}')
}

// Profiled is {"profile":{…}}.
type Profiled struct{ Profile Profile }

func (o *Profiled) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"profile":`...)
	dst = o.Profile.AppendJSON(dst)
	return append(dst, '}')
}

// Present is {"presence":[…]}.
type Present struct{ Presence []Presence }

func (o *Present) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"presence":`...)
	dst = appendList(dst, o.Presence, func(dst []byte, p *Presence) []byte { return p.AppendJSON(dst) })
	return append(dst, '}')
}

// LoggedIn is {"token":"…","user":"…","expires":"…"}.
type LoggedIn struct {
	Token   string
	User    string
	Expires time.Time
}

func (o *LoggedIn) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"token":`...)
	dst = appendString(dst, o.Token)
	dst = append(dst, `,"user":`...)
	dst = appendString(dst, o.User)
	dst = append(dst, `,"expires":`...)
	dst = appendTime(dst, o.Expires)
	return append(dst, '}')
}
