package gateway

import (
	"slices"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

// body is an event as one codec encodes it, shared by all its recipients.
type body struct {
	shard feedengine.ShardID
	epoch uint64
	seq   uint64
	at    int64 // the event's time, Unix ms; 0: not to be measured
	void  bool  // sent without counters
	takes takes // what it takes out of the outboxes that it comes to
	talk  bool  // about messages, which a mute leaves
	bytes []byte

	post  feedengine.ID     // which it is about, 0: none; of takesNote, the notification
	actor string            // whose doing it is, "": nobody's
	note  *feedengine.Event // the event, when it is a notification: it may have several actors

	deflated atomic.Pointer[[]byte] // bytes compressed, once somebody wants them so
}

// takes is what an event withdraws of those before it that have not left yet.
type takes uint8

const (
	takesNothing takes = iota
	takesPost          // all about its post
	takesUser          // all in which its actor stands
	takesMuted         // likewise, but for messages
	takesNote          // a notification
)

// withdraws reports whether other is not to be shown any more once b is.
func (b *body) withdraws(other *body) bool {
	switch b.takes {
	case takesPost:
		return other.post == b.post && other.takes == takesNothing
	case takesNote:
		return other.note != nil && other.note.Fact.(*feedengine.Note).ID == b.post
	case takesMuted:
		return !other.talk && other.involves(b.actor)
	case takesUser:
		return other.involves(b.actor)
	}
	return false
}

// involves reports whether the user did what the body tells.
func (b *body) involves(user string) bool {
	return b.takes == takesNothing &&
		(b.actor == user || b.note != nil && slices.Contains(b.note.Fact.(*feedengine.Note).Others, user))
}

// deflate is the body compressed, for all who get it. At worst it is made twice.
func (b *body) deflate() []byte {
	if have := b.deflated.Load(); have != nil {
		return *have
	}
	made := socket.AppendDeflated(nil, b.bytes)
	b.deflated.Store(&made)
	return made
}

// bodySlots is how many bodies a codec's cache remembers: a post arrives once
// per shard that holds a follower, all within moments.
const bodySlots = 1024

// bodies remembers the latest encoded events of one codec, by position in their
// log: those without names, and apart from them those with names. A position has
// one slot; a newer event takes it over. Readers and writers take no lock: at worst
// an event is encoded twice.
type bodies struct {
	codec wire.Codec
	void  *body
	plain [bodySlots]atomic.Pointer[body]
	named [bodySlots]atomic.Pointer[body]
}

func newBodies(c wire.Codec) *bodies {
	return &bodies{codec: c, void: &body{void: true, bytes: c.AppendBody(nil, &wire.Event{Type: wire.EventVoid})}}
}

// of encodes the event, or finds it encoded; with names when expand is set and
// there is one to tell. Only what stands in a log as it is shown is remembered:
// what is made of a log's event for one user has the position of that event.
func (b *bodies) of(e *feedengine.Event, expand bool) *body {
	if e.Kind == feedengine.KindVoid {
		return b.void
	}
	expand = expand && nameIn(e) != ""
	if !e.Kind.Stored() || e.Seq == 0 {
		return b.encode(e, expand)
	}
	slots := &b.plain
	if expand {
		slots = &b.named
	}
	slot := &slots[(e.Seq*31+uint64(e.Shard))%bodySlots]
	if have := slot.Load(); have != nil && have.seq == e.Seq && have.shard == e.Shard && have.epoch == e.Epoch {
		return have
	}
	made := b.encode(e, expand)
	slot.Store(made)
	return made
}

// instead is what takes the place of old, which by withdraws: a notification of
// several goes on without the one who is hidden.
func (b *bodies) instead(old, by *body, expand bool) *body {
	if old.note == nil || by.takes == takesPost || by.takes == takesNote {
		return b.void
	}
	left := *old.note.Fact.(*feedengine.Note)
	left.Others = slices.DeleteFunc(slices.Clone(left.Others), func(user string) bool { return user == by.actor })
	if len(left.Others) == 0 {
		return b.void
	}
	if left.Actor == by.actor {
		left.Actor, left.Name = left.Others[0], ""
	}
	e := *old.note
	e.Actor, e.Name, e.Fact = left.Actor, left.Name, &left
	return b.encode(&e, expand && left.Name != "")
}

// nameIn is the display name that the event can be shown with, "" for none.
func nameIn(e *feedengine.Event) string {
	switch e.Kind {
	case feedengine.KindPost, feedengine.KindPostEdited, feedengine.KindMessage:
		return e.Name
	case feedengine.KindNote:
		return e.Fact.(*feedengine.Note).Name
	}
	return ""
}

func (b *bodies) encode(e *feedengine.Event, expand bool) *body {
	made := &body{shard: e.Shard, epoch: e.Epoch, seq: e.Seq}
	var out wire.Event
	size, ok := made.show(e, &out)
	if !ok {
		return b.void // its number must not be missing, though this node cannot show it
	}
	if expand {
		switch name := nameIn(e); {
		case out.Post != nil:
			out.Post.Name = name
		case out.Message != nil:
			out.Message.Name = name
		case out.Notification != nil:
			out.Notification.Name = name
		}
	}
	if e.ID != 0 {
		made.at = e.ID.Time().UnixMilli()
	}
	made.bytes = b.codec.AppendBody(make([]byte, 0, size), &out)
	return made
}

// show fills in how the event is told, and what the outboxes need to know of it.
// size is about how many bytes it takes. ok is false for what has no form on the wire.
func (b *body) show(e *feedengine.Event, out *wire.Event) (size int, ok bool) {
	switch e.Kind {
	case feedengine.KindPost, feedengine.KindPostEdited:
		p := wirePost(e.Post)
		out.Type, out.Post = wire.EventPost, &p
		if e.Kind == feedengine.KindPostEdited {
			out.Type = wire.EventPostEdited
		}
		b.post, b.actor = e.Post.ID, e.Post.Author
		return postBytes(e.Post) + len(p.Text)/8, true
	case feedengine.KindPostDeleted:
		out.Type, out.Target = wire.EventPostDeleted, int64(e.Target)
		b.takes, b.post = takesPost, e.Target
	case feedengine.KindNote:
		note := e.Fact.(*feedengine.Note)
		n := wireNote(note)
		out.Type, out.Notification = wire.EventNotification, &n
		b.post, b.actor, b.note = note.Post, note.Actor, e
		return 3 * replyBytes, true
	case feedengine.KindNoteGone:
		out.Type, out.Target = wire.EventNotificationDeleted, int64(e.Target)
		b.takes, b.post = takesNote, e.Target
	case feedengine.KindMessage:
		fact := *e.Fact.(*feedengine.Message)
		fact.ID, fact.From = e.ID, e.Actor
		m := wireMessage(&fact)
		out.Type, out.Message = wire.EventMessage, &m
		b.talk, b.actor = true, e.Actor
		return messageBytes(&fact) + len(m.Text)/8, true
	case feedengine.KindReceipt:
		seen := e.Fact.(*feedengine.Seen)
		*out = wire.Event{
			Type: wire.EventReceipt, Conversation: int64(seen.Conversation), User: e.Actor, Target: int64(seen.Upto), Read: seen.Read,
		}
		b.talk, b.actor = true, e.Actor
	case feedengine.KindRead:
		out.Type, out.Of, out.Target = wire.EventRead, e.List.String(), int64(e.Target)
		if seen, is := e.Fact.(*feedengine.Seen); is {
			out.Conversation = int64(seen.Conversation)
		}
	case feedengine.KindHidden:
		out.Type, out.User = wire.EventHidden, e.Actor
		b.takes, b.actor = takesUser, e.Actor
		if e.List == feedengine.ListFeed { // a mute
			b.takes = takesMuted
		}
	case feedengine.KindShown:
		out.Type, out.User = wire.EventShown, e.Actor
	default:
		return 0, false
	}
	return 64 + replyBytes, true
}
