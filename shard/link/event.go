package link

import "github.com/feedgate/feedgate/feedengine"

// What an event has besides kind, place and id is said by flags.
const (
	eventFollows = 1 << iota // place: one seq after the event before, else spelled out
	eventHasPost
	eventOwnPost // the post's id and author are the event's id and actor
	eventIsPost  // the post's kind is "post"
	eventHasTarget
	eventHasUsers
	eventHasList
)

// announced reports whether announces carry the body of events of this kind:
// whether it concerns users of other shards than the log's.
func announced(kind feedengine.EventKind) bool {
	return kind == feedengine.KindPost || kind == feedengine.KindPostDeleted
}

// position is where an event stands.
type position struct {
	shard      feedengine.ShardID
	epoch, seq uint64
}

func positionOf(ev *feedengine.Event) position { return position{ev.Shard, ev.Epoch, ev.Seq} }

// next is the position of the next event of the same log and epoch.
func (p position) next() position { p.seq++; return p }

func putPosition(b []byte, p position) []byte {
	b = putUint(b, uint64(p.shard))
	b = putUint(b, p.epoch)
	return putUint(b, p.seq)
}

func (t *taker) position() position {
	return position{t.shard(), t.uint(), t.uint()}
}

// putEvent writes an event of which the one before stands at before (see
// eventFollows); without its body when bodiless.
func putEvent(b []byte, ev *feedengine.Event, before position, bodiless bool) []byte {
	flags := byte(0)
	if positionOf(ev) == before.next() {
		flags |= eventFollows
	}
	if !bodiless {
		flags |= bodyFlags(ev)
	}
	b = append(b, byte(ev.Kind), flags)
	if flags&eventFollows == 0 {
		b = putPosition(b, positionOf(ev))
	}
	b = putID(b, ev.ID)
	b = putString(b, ev.Actor)
	if flags&eventHasPost != 0 {
		b = putPostRest(b, ev.Post, flags)
	}
	if flags&eventHasTarget != 0 {
		b = putID(b, ev.Target)
	}
	if flags&eventHasUsers != 0 {
		b = putStrings(b, ev.Users)
	}
	if flags&eventHasList != 0 {
		b = append(b, byte(ev.List))
	}
	return b
}

func bodyFlags(ev *feedengine.Event) byte {
	flags := byte(0)
	if p := ev.Post; p != nil {
		flags |= eventHasPost
		if p.ID == ev.ID && p.Author == ev.Actor {
			flags |= eventOwnPost
		}
		if p.Kind == "post" {
			flags |= eventIsPost
		}
	}
	if ev.Target != 0 {
		flags |= eventHasTarget
	}
	if len(ev.Users) > 0 {
		flags |= eventHasUsers
	}
	if ev.List != 0 {
		flags |= eventHasList
	}
	return flags
}

func putPostRest(b []byte, p *feedengine.Post, flags byte) []byte {
	if flags&eventOwnPost == 0 {
		b = putID(b, p.ID)
		b = putString(b, p.Author)
	}
	if flags&eventIsPost == 0 {
		b = putString(b, p.Kind)
	}
	b = putString(b, p.Text)
	b = putUint(b, uint64(p.Likes))
	return putUint(b, uint64(p.Comments))
}

func (t *taker) event(before position) *feedengine.Event {
	kind, flags := feedengine.EventKind(t.byte()), t.byte()
	at := before.next()
	if flags&eventFollows == 0 {
		at = t.position()
	}
	// One allocation for an event and its post, which live and die together.
	var both *struct {
		ev   feedengine.Event
		post feedengine.Post
	}
	var ev *feedengine.Event
	if flags&eventHasPost != 0 {
		both = new(struct {
			ev   feedengine.Event
			post feedengine.Post
		})
		ev = &both.ev
	} else {
		ev = new(feedengine.Event)
	}
	ev.Kind, ev.Shard, ev.Epoch, ev.Seq = kind, at.shard, at.epoch, at.seq
	ev.ID = t.id()
	ev.Actor = t.string()
	if both != nil {
		ev.Post = &both.post
		t.postRest(ev, flags)
	}
	if flags&eventHasTarget != 0 {
		ev.Target = t.id()
	}
	if flags&eventHasUsers != 0 {
		ev.Users = t.strings()
	}
	if flags&eventHasList != 0 {
		ev.List = feedengine.List(t.byte())
	}
	return ev
}

func (t *taker) postRest(ev *feedengine.Event, flags byte) {
	p := ev.Post
	p.ID, p.Author, p.Kind = ev.ID, ev.Actor, "post"
	if flags&eventOwnPost == 0 {
		p.ID, p.Author = t.id(), t.string()
	}
	if flags&eventIsPost == 0 {
		p.Kind = t.string()
	}
	p.Text = t.string()
	p.Likes = int(t.upTo(1 << 40))
	p.Comments = int(t.upTo(1 << 40))
}

// putPost writes a post that stands alone.
func putPost(b []byte, p *feedengine.Post) []byte {
	b = putID(b, p.ID)
	b = putString(b, p.Author)
	b = putString(b, p.Kind)
	b = putString(b, p.Text)
	b = putUint(b, uint64(p.Likes))
	return putUint(b, uint64(p.Comments))
}

func (t *taker) post() *feedengine.Post {
	return &feedengine.Post{
		ID: t.id(), Author: t.string(), Kind: t.string(), Text: t.string(),
		Likes: int(t.upTo(1 << 40)), Comments: int(t.upTo(1 << 40)),
	}
}
