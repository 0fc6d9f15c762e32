package wire

import (
	"strconv"
	"time"
)

// KindLike is the kind of those notifications that gather several actors.
const KindLike = "like"

// Notification is a notification as its user sees it.
type Notification struct {
	ID      int64
	Kind    string
	Actor   string
	Post    int64 // 0: none
	Comment int64 // 0: none
	At      time.Time
	Count   int      // KindLike
	Actors  []string // KindLike: the newest, newest first
	Name    string   // the actor's, "": none, or not asked for
}

// AppendJSON encodes the notification as it stands in replies, without a type.
func (n *Notification) AppendJSON(dst []byte) []byte {
	return append(n.appendFields(append(dst, '{')), '}')
}

func (n *Notification) appendFields(dst []byte) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, n.ID)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, n.Kind)
	dst = append(dst, `,"actor":`...)
	dst = appendString(dst, n.Actor)
	if n.Post != 0 {
		dst = append(dst, `,"post":`...)
		dst = appendID(dst, n.Post)
	}
	if n.Comment != 0 {
		dst = append(dst, `,"comment":`...)
		dst = appendID(dst, n.Comment)
	}
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, n.At)
	if n.Kind == KindLike {
		dst = append(dst, `,"count":`...)
		dst = strconv.AppendInt(dst, int64(n.Count), 10)
		dst = append(dst, `,"actors":`...)
		dst = appendStrings(dst, n.Actors)
	}
	return appendSome(dst, `,"name":`, n.Name)
}

// Comment is a comment on a post.
type Comment struct {
	ID     int64
	Post   int64
	Author string
	Text   string
	At     time.Time
	Name   string // the author's, "": none, or not asked for
}

// AppendJSON encodes {"id":…,"post":…,"author":…,"text":…,"at":…}.
func (c *Comment) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendID(dst, c.ID)
	dst = append(dst, `,"post":`...)
	dst = appendID(dst, c.Post)
	dst = append(dst, `,"author":`...)
	dst = appendString(dst, c.Author)
	dst = append(dst, `,"text":`...)
	dst = appendString(dst, c.Text)
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, c.At)
	dst = appendSome(dst, `,"name":`, c.Name)
	return append(dst, '}')
}
