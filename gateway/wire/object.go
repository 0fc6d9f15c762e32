package wire

import (
	"strconv"
	"time"
)

// Object is an operation's result: the ok object of a reply, and the body of an
// HTTP answer.
type Object interface {
	AppendJSON(dst []byte) []byte
}

// Empty is {}.
type Empty struct{}

func (Empty) AppendJSON(dst []byte) []byte { return append(dst, `{}`...) }

// Connected answers connect.
type Connected struct {
	User      string
	Stream    string
	N         uint64
	Resumed   bool
	Replay    int
	Counts    Counts
	Heartbeat time.Duration
	Feed      *Page // nil: none was asked for
}

func (o *Connected) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"user":`...)
	dst = appendString(dst, o.User)
	dst = append(dst, `,"stream":`...)
	dst = appendString(dst, o.Stream)
	dst = append(dst, `,"n":`...)
	dst = strconv.AppendUint(dst, o.N, 10)
	dst = append(dst, `,"resumed":`...)
	dst = strconv.AppendBool(dst, o.Resumed)
	dst = append(dst, `,"replay":`...)
	dst = strconv.AppendInt(dst, int64(o.Replay), 10)
	dst = append(dst, `,"unread":`...)
	dst = o.Counts.AppendJSON(dst)
	dst = append(dst, `,"heartbeat_ms":`...)
	dst = strconv.AppendInt(dst, millis(o.Heartbeat), 10)
	if o.Feed != nil {
		dst = append(dst, `,"feed":`...)
		dst = o.Feed.AppendJSON(dst)
	}
	return append(dst, '}')
}

// Page is {"posts":[…],"next":"…"}; next is "" at the end.
type Page struct {
	Posts []Post
	Next  int64
}

func (o *Page) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"posts":`...)
	dst = appendList(dst, o.Posts, func(dst []byte, p *Post) []byte { return p.AppendJSON(dst) })
	dst = append(dst, `,"next":`...)
	dst = appendCursor(dst, o.Next)
	return append(dst, '}')
}

// Posted is {"post":{…}}.
type Posted struct{ Post Post }

func (o *Posted) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"post":`...)
	dst = o.Post.AppendJSON(dst)
	return append(dst, '}')
}

// Followed is {"since":"…"}: posts above it count.
type Followed struct{ Since int64 }

func (o Followed) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"since":`...)
	dst = appendID(dst, o.Since)
	return append(dst, '}')
}

// Marked answers read: {"unread":{…},"upto":"…"}, over HTTP with the stream.
type Marked struct {
	Counts Counts
	Upto   int64  // the mark now held, 0: none
	Stream string // "": not told
}

func (o *Marked) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"unread":`...)
	dst = o.Counts.AppendJSON(dst)
	dst = append(dst, `,"upto":`...)
	dst = appendID(dst, o.Upto)
	return appendStream(dst, o.Stream)
}

// Counters answers unread: {"unread":{…},"conversations":{"77":2}}, over HTTP with
// the stream.
type Counters struct {
	Counts Counts
	Chats  []ChatCount
	Stream string // "": not told
}

// ChatCount is how many messages of a conversation are unread.
type ChatCount struct {
	Conversation int64
	Unread       uint32
}

func (o *Counters) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"unread":`...)
	dst = o.Counts.AppendJSON(dst)
	dst = append(dst, `,"conversations":{`...)
	for i, c := range o.Chats {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendID(dst, c.Conversation)
		dst = append(dst, ':')
		dst = strconv.AppendUint(dst, uint64(c.Unread), 10)
	}
	dst = append(dst, '}')
	return appendStream(dst, o.Stream)
}

func appendStream(dst []byte, stream string) []byte {
	if stream != "" {
		dst = append(dst, `,"stream":`...)
		dst = appendString(dst, stream)
	}
	return append(dst, '}')
}

// Refreshed is {"expires":"…"}.
type Refreshed struct{ Expires time.Time }

func (o Refreshed) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"expires":`...)
	dst = appendTime(dst, o.Expires)
	return append(dst, '}')
}

// Users is {"users":[…],"next":"…"}; next is "" at the end.
type Users struct {
	Users []string
	Next  string
}

func (o *Users) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"users":`...)
	dst = appendStrings(dst, o.Users)
	dst = append(dst, `,"next":`...)
	dst = appendString(dst, o.Next)
	return append(dst, '}')
}
