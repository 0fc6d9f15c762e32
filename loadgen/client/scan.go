package client

import (
	"bytes"

	"github.com/feedgate/feedgate/gateway/wire"
)

// event is a numbered frame.
type event struct {
	n       uint64
	counts  wire.Counts
	counted bool
	body    []byte // of "event"
}

// scanEvent reads a numbered frame as servers write it: n, then unread or not, then
// event. ok is false for any other frame, and for one written in another way, which
// the JSON decoder has to read. Whether the body is JSON it does not look at.
func scanEvent(p []byte) (e event, ok bool) {
	s := scanner{p}
	if !s.lit(`{"n":`) || !s.num(&e.n) {
		return e, false
	}
	if s.lit(`,"unread":`) {
		if e.counted = true; !s.counts(&e.counts) {
			return e, false
		}
	}
	if !s.lit(`,"event":{`) || len(s.p) < 2 || !bytes.HasSuffix(s.p, []byte("}}")) {
		return e, false
	}
	from := len(p) - len(s.p) - 1
	e.body = p[from : len(p)-1]
	return e, true
}

// scanUnread reads {"unread":{…}}.
func scanUnread(p []byte) (c wire.Counts, ok bool) {
	s := scanner{p}
	ok = s.lit(`{"unread":`) && s.counts(&c) && s.lit(`}`) && len(s.p) == 0
	return c, ok
}

// scanner takes from the front of p.
type scanner struct{ p []byte }

func (s *scanner) lit(want string) bool {
	if len(s.p) < len(want) || string(s.p[:len(want)]) != want {
		return false
	}
	s.p = s.p[len(want):]
	return true
}

// num takes a number of at most 18 digits, without a leading zero.
func (s *scanner) num(to *uint64) bool {
	i, v := 0, uint64(0)
	for i < len(s.p) && i < 19 && s.p[i]-'0' <= 9 {
		v = v*10 + uint64(s.p[i]-'0')
		i++
	}
	if i == 0 || i == 19 || i > 1 && s.p[0] == '0' {
		return false
	}
	*to, s.p = v, s.p[i:]
	return true
}

func (s *scanner) counts(c *wire.Counts) bool {
	var feed, notifications, messages uint64
	ok := s.lit(`{"feed":`) && s.num(&feed) && s.lit(`,"notifications":`) && s.num(&notifications) &&
		s.lit(`,"messages":`) && s.num(&messages) && s.lit(`,"v":`) && s.num(&c.V) && s.lit(`}`) &&
		max(feed, notifications, messages) < 1<<32
	c.Feed, c.Notifications, c.Messages = uint32(feed), uint32(notifications), uint32(messages)
	return ok
}
