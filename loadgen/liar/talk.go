package liar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

// talk is a conversation.
type talk struct {
	id       int64
	members  []string
	messages []*wire.Message
	marks    map[string]int64 // by member
}

func (t *talk) unread(user string) (n uint32) {
	for _, m := range t.messages {
		if m.From != user && m.ID > t.marks[user] {
			n++
		}
	}
	return n
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64) // 0 is none
	return n
}

// message sends one. s.mu is held.
func (s *Server) message(c *conn, u *user, q *wire.Request) {
	m := s.sent[u.name+" "+q.Key]
	if m == nil {
		t := s.talk(append(slices.Clone(q.To), u.name))
		m = &wire.Message{ID: s.id(), Conversation: t.id, From: u.name, Text: q.Text, At: time.Now().UTC().Truncate(time.Millisecond)}
		s.sent[u.name+" "+q.Key] = m
		t.messages = append(t.messages, m)
		for _, member := range t.members {
			s.tellMember(s.user(member), m)
		}
		s.stray(t, m)
	}
	c.ok(q, &wire.Sent{Message: *m})
}

func (s *Server) talk(members []string) *talk {
	slices.Sort(members)
	members = slices.Compact(members)
	key := strings.Join(members, " ")
	t := s.talks[key]
	if t == nil {
		t = &talk{id: s.id(), members: members, marks: map[string]int64{}}
		s.talks[key] = t
		for _, member := range members {
			u := s.user(member)
			u.talks = append(u.talks, t)
		}
	}
	return t
}

// tellMember brings one member a message, and perhaps a lie about it.
func (s *Server) tellMember(u *user, m *wire.Message) {
	s.delivered++
	u.v++
	if s.delivered <= warm || s.sockets(u) == 0 || m.From == u.name {
		s.say(u, m)
		return
	}
	switch {
	case u.heldTalk != nil:
		s.told = true
		s.say(u, m)
		s.say(u, u.heldTalk)
		u.heldTalk = nil
		return
	case s.lie == SwapMessages && s.victim == nil:
		s.victim, u.heldTalk = u, m
		return
	case s.tell(DropMessage):
		return
	case s.tell(DoubleMessage):
		s.say(u, m)
	case s.tell(CountMessages):
		u.offTalk = 1
	}
	s.say(u, m)
}

// say gives a message the next number and sends it.
func (s *Server) say(u *user, m *wire.Message) {
	u.n++
	u.tail = append(u.tail, frame{u.n, wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventMessage, Message: m}), nil})
	s.push(u, s.frame(u, u.tail[len(u.tail)-1]))
	if u.late != nil { // a swap of frames: the one held back comes behind whatever is next
		s.told = true
		s.push(u, u.late)
		u.late = nil
	}
}

// stray brings a message to somebody who is no member.
func (s *Server) stray(t *talk, m *wire.Message) {
	if s.delivered <= warm {
		return
	}
	for name, u := range s.users {
		if !slices.Contains(t.members, name) && s.sockets(u) > 0 && s.tell(StrayMessage) {
			s.say(u, m)
		}
	}
}

// readTalk moves a conversation's read mark. s.mu is held.
func (s *Server) readTalk(c *conn, u *user, q *wire.Request) {
	for _, t := range u.talks {
		upto := number(q.Upto)
		if t.id != number(q.Conversation) {
			continue
		}
		switch {
		case upto > t.marks[u.name] && t.marks[u.name] > 0 && s.tell(TalkForgotten):
			// The answer says so, and the counters go on as before.
			c.ok(q, &wire.Marked{Counts: u.counts(), Upto: t.marks[u.name]})
			return
		case upto > t.marks[u.name]:
			t.marks[u.name] = upto
			u.n++
			u.v++
			u.tail = append(u.tail, frame{u.n, wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventRead, Of: "messages", Conversation: t.id, Target: upto}), nil})
			s.push(u, s.frame(u, u.tail[len(u.tail)-1]))
		}
		c.ok(q, &wire.Marked{Counts: u.counts(), Upto: t.marks[u.name]})
		return
	}
	c.refuse(q, "not_found")
}

// messages is a page of a conversation, newest first. s.mu is held.
func (s *Server) messages(c *conn, u *user, q *wire.Request) {
	for _, t := range u.talks {
		if t.id != number(q.Conversation) {
			continue
		}
		page := &wire.Messages{}
		for _, m := range slices.Backward(t.messages) {
			if before := number(q.Before); before != 0 && m.ID >= before {
				continue
			}
			if page.Messages = append(page.Messages, *m); len(page.Messages) == int(max(q.Limit, 20)) {
				page.Next = m.ID
				break
			}
		}
		c.ok(q, page)
		return
	}
	c.refuse(q, "not_found")
}

// conversations lists them all. s.mu is held.
func (s *Server) conversations(c *conn, u *user, q *wire.Request) {
	list := &wire.Conversations{}
	for _, t := range u.talks {
		list.Conversations = append(list.Conversations, wire.Conversation{ID: t.id, Members: t.members, Unread: t.unread(u.name), Read: t.marks[u.name]})
	}
	c.ok(q, list)
}
