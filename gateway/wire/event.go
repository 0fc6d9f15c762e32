package wire

import (
	"strconv"
	"time"
)

// EventType is an event's "type".
type EventType string

const (
	EventPost        EventType = "post"
	EventPostDeleted EventType = "post_deleted"
	EventRead        EventType = "read"
	EventVoid        EventType = "void"
)

// Event is what one numbered frame tells. Type says which of the other fields
// are meant.
type Event struct {
	Type   EventType
	Post   *Post  // post
	Target int64  // post_deleted: the post's id; read: the mark
	Of     string // read: the list
}

// AppendJSON encodes the event as one flat object that begins with its type.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendString(dst, string(e.Type))
	switch e.Type {
	case EventPost:
		dst = append(dst, ',')
		dst = e.Post.appendFields(dst)
	case EventPostDeleted:
		dst = append(dst, `,"post":`...)
		dst = appendID(dst, e.Target)
	case EventRead:
		dst = append(dst, `,"of":`...)
		dst = appendString(dst, e.Of)
		dst = append(dst, `,"upto":`...)
		dst = appendID(dst, e.Target)
	}
	return append(dst, '}')
}

// Post is a post as clients see it.
type Post struct {
	ID       int64
	Author   string
	Kind     string
	Text     string
	At       time.Time
	Likes    int
	Comments int
}

// AppendJSON encodes the post as it stands in replies, without a type.
func (p *Post) AppendJSON(dst []byte) []byte {
	return append(p.appendFields(append(dst, '{')), '}')
}

func (p *Post) appendFields(dst []byte) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, p.ID)
	dst = append(dst, `,"author":`...)
	dst = appendString(dst, p.Author)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, p.Kind)
	dst = append(dst, `,"text":`...)
	dst = appendString(dst, p.Text)
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, p.At)
	dst = append(dst, `,"likes":`...)
	dst = strconv.AppendInt(dst, int64(p.Likes), 10)
	dst = append(dst, `,"comments":`...)
	return strconv.AppendInt(dst, int64(p.Comments), 10)
}
