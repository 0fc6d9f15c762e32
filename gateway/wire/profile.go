package wire

import (
	"strconv"
	"time"
)

// Profile is what a user tells of themselves. But for the user, empty fields are
// left out.
type Profile struct {
	User    string
	Handle  string
	Name    string
	Avatar  string
	Email   string
	Phone   string
	Subject string
}

// AppendJSON encodes {"user":…,"handle":…,…}.
func (p *Profile) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"user":`...)
	dst = appendString(dst, p.User)
	dst = appendSome(dst, `,"handle":`, p.Handle)
	dst = appendSome(dst, `,"name":`, p.Name)
	dst = appendSome(dst, `,"avatar":`, p.Avatar)
	dst = appendSome(dst, `,"email":`, p.Email)
	dst = appendSome(dst, `,"phone":`, p.Phone)
	dst = appendSome(dst, `,"subject":`, p.Subject)
	return append(dst, '}')
}

// Presence is whether a user is there, and when last they were.
type Presence struct {
	User   string
	Online bool
	Seen   time.Time // zero: not known, or now
}

// AppendJSON encodes {"user":…,"online":…,"seen":…}.
func (p *Presence) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"user":`...)
	dst = appendString(dst, p.User)
	dst = append(dst, `,"online":`...)
	dst = strconv.AppendBool(dst, p.Online)
	if !p.Seen.IsZero() {
		dst = append(dst, `,"seen":`...)
		dst = appendTime(dst, p.Seen)
	}
	return append(dst, '}')
}

// Typing says that a user writes in a conversation just now.
type Typing struct {
	Conversation int64  `json:"conversation,string"`
	User         string `json:"user"`
}

// AppendJSON encodes {"conversation":…,"user":…}.
func (t *Typing) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"conversation":`...)
	dst = appendID(dst, t.Conversation)
	dst = append(dst, `,"user":`...)
	dst = appendString(dst, t.User)
	return append(dst, '}')
}

// Search is a saved search.
type Search struct {
	ID    int64
	Name  string
	Query Query
}

// AppendJSON encodes {"id":…,"name":…,"query":{…}}.
func (s *Search) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendID(dst, s.ID)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, s.Name)
	dst = append(dst, `,"query":`...)
	dst = s.Query.AppendJSON(dst)
	return append(dst, '}')
}
