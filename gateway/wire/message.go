package wire

import (
	"strconv"
	"time"
)

// Message is a message of a conversation.
type Message struct {
	ID           int64
	Conversation int64
	From         string
	Text         string
	At           time.Time
	Reply        int64   // the message that it answers, 0: none
	Media        []Media // nil: none
	Name         string  // the sender's, "": none, or not asked for
}

// AppendJSON encodes the message as it stands in replies, without a type.
func (m *Message) AppendJSON(dst []byte) []byte {
	return append(m.appendFields(append(dst, '{')), '}')
}

func (m *Message) appendFields(dst []byte) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, m.ID)
	dst = append(dst, `,"conversation":`...)
	dst = appendID(dst, m.Conversation)
	dst = append(dst, `,"from":`...)
	dst = appendString(dst, m.From)
	dst = append(dst, `,"text":`...)
	dst = appendString(dst, m.Text)
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, m.At)
	if m.Reply != 0 {
		dst = append(dst, `,"reply":`...)
		dst = appendID(dst, m.Reply)
	}
	if len(m.Media) > 0 {
		dst = append(dst, `,"media":`...)
		dst = appendMedia(dst, m.Media)
	}
	return appendSome(dst, `,"name":`, m.Name)
}

// Conversation is one row of a user's list of conversations.
type Conversation struct {
	ID      int64
	Members []string
	Last    *Message // nil: there is none
	Unread  uint32
	Read    int64 // the read mark, 0: none
}

// AppendJSON encodes {"id":…,"members":[…],"last":{…},"unread":…,"read":…}.
func (c *Conversation) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendID(dst, c.ID)
	dst = append(dst, `,"members":`...)
	dst = appendStrings(dst, c.Members)
	dst = append(dst, `,"last":`...)
	if c.Last == nil {
		dst = append(dst, `null`...)
	} else {
		dst = c.Last.AppendJSON(dst)
	}
	dst = append(dst, `,"unread":`...)
	dst = strconv.AppendUint(dst, uint64(c.Unread), 10)
	dst = append(dst, `,"read":`...)
	dst = appendID(dst, c.Read)
	return append(dst, '}')
}

// Seen is how far a member has got and read a conversation; 0: nothing yet.
type Seen struct {
	User      string
	Got, Read int64
}

// AppendJSON encodes {"user":…,"got":…,"read":…}.
func (s *Seen) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"user":`...)
	dst = appendString(dst, s.User)
	dst = append(dst, `,"got":`...)
	dst = appendID(dst, s.Got)
	dst = append(dst, `,"read":`...)
	dst = appendID(dst, s.Read)
	return append(dst, '}')
}
