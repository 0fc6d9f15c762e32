package gateway

import (
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
	bytes []byte

	deflated atomic.Pointer[[]byte] // bytes compressed, once somebody wants them so
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
// log. A position has one slot; a newer event takes it over. Readers and writers
// take no lock: at worst an event is encoded twice.
type bodies struct {
	codec wire.Codec
	void  *body
	slots [bodySlots]atomic.Pointer[body]
}

func newBodies(c wire.Codec) *bodies {
	return &bodies{codec: c, void: &body{void: true, bytes: c.AppendBody(nil, &wire.Event{Type: wire.EventVoid})}}
}

// of encodes the event, or finds it encoded.
func (b *bodies) of(e *feedengine.Event) *body {
	if e.Kind == feedengine.KindVoid {
		return b.void
	}
	if e.Seq == 0 {
		return b.encode(e)
	}
	slot := &b.slots[(e.Seq*31+uint64(e.Shard))%bodySlots]
	if have := slot.Load(); have != nil && have.seq == e.Seq && have.shard == e.Shard && have.epoch == e.Epoch {
		return have
	}
	made := b.encode(e)
	slot.Store(made)
	return made
}

func (b *bodies) encode(e *feedengine.Event) *body {
	var out wire.Event
	size := 64
	switch e.Kind {
	case feedengine.KindPost:
		p := wirePost(e.Post)
		out.Type, out.Post = wire.EventPost, &p
		size = 200 + len(p.Text) + len(p.Text)/8
	case feedengine.KindPostDeleted:
		out.Type, out.Target = wire.EventPostDeleted, int64(e.Target)
	case feedengine.KindRead:
		out.Type, out.Of, out.Target = wire.EventRead, e.List.String(), int64(e.Target)
	default:
		return b.void // its number must not be missing, though this node cannot show it
	}
	made := &body{shard: e.Shard, epoch: e.Epoch, seq: e.Seq}
	if e.ID != 0 {
		made.at = e.ID.Time().UnixMilli()
	}
	made.bytes = b.codec.AppendBody(make([]byte, 0, size), &out)
	return made
}

func wirePost(p *feedengine.Post) wire.Post {
	return wire.Post{
		ID: int64(p.ID), Author: p.Author, Kind: p.Kind, Text: p.Text, At: p.At(),
		Likes: p.Likes, Comments: p.Comments,
	}
}

func wirePage(p *feedengine.Page) *wire.Page {
	if p == nil {
		return &wire.Page{}
	}
	out := &wire.Page{Posts: make([]wire.Post, len(p.Posts)), Next: int64(p.Next)}
	for i := range p.Posts {
		out.Posts[i] = wirePost(p.Posts[i])
	}
	return out
}

func wireError(e *feedengine.Error) *wire.Error {
	return &wire.Error{Code: string(e.Code), Message: e.Message, Retryable: e.Retryable(), Retry: e.Retry}
}
