package link

import (
	"encoding/json"

	"github.com/feedgate/feedgate/feedengine"
)

// What an event has besides kind, place and id is said by flags.
const (
	eventFollows = 1 << iota // place: one seq after the event before, else spelled out
	eventHasPost
	eventOwnPost // the post's id and author are the event's id and actor
	eventIsPost  // the post's kind is "post"
	eventHasTarget
	eventHasUsers
	eventHasList
	eventHasRest // name, fact and the post's More, which few have all of
)

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
	if flags&eventHasRest != 0 {
		b = putString(b, ev.Name)
		b = putFact(b, ev)
		b = putMore(b, moreOf(ev))
	}
	return b
}

// putFact writes the event's fact as JSON behind its length, 0 for none. A fact
// that was taken from a client, or from a log, can be written.
func putFact(b []byte, ev *feedengine.Event) []byte {
	fact, err := feedengine.AppendFact(nil, ev)
	if err != nil {
		return putUint(b, 0)
	}
	return putBytes(b, fact)
}

func moreOf(ev *feedengine.Event) *feedengine.More {
	if ev.Post == nil {
		return nil
	}
	return ev.Post.More
}

func putMore(b []byte, more *feedengine.More) []byte {
	if more == nil {
		return putUint(b, 0)
	}
	return putJSON(b, more)
}

func (t *taker) more() (more *feedengine.More) {
	t.json(&more)
	return more
}

// putJSON writes something of texts, numbers and times as JSON behind its length.
func putJSON(b []byte, v any) []byte {
	j, err := json.Marshal(v)
	if err != nil { // a year with five digits
		return putUint(b, 0)
	}
	return putBytes(b, j)
}

// json reads what putJSON wrote into v, which stays as it is where nothing was written.
func (t *taker) json(v any) {
	if j := t.bytes(); len(j) > 0 && json.Unmarshal(j, v) != nil {
		t.fail()
	}
}

// textOf is roughly how many bytes of text an announce has of the event.
func textOf(ev *feedengine.Event) (n int) {
	if !ev.Travels() {
		return 0
	}
	for _, u := range ev.Users {
		n += 1 + len(u)
	}
	if ev.Post != nil {
		n += len(ev.Post.Text)
	}
	if more := moreOf(ev); more != nil {
		for _, m := range more.Media {
			n += len(m.URL)
		}
		for _, u := range more.Alerts {
			n += 3 + len(u)
		}
	}
	switch f := ev.Fact.(type) {
	case *feedengine.Comment:
		n += len(f.Text)
	case *feedengine.Message:
		n += len(f.Text)
	}
	return n
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
	if ev.Name != "" || ev.Fact != nil || moreOf(ev) != nil {
		flags |= eventHasRest
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
	if flags&eventHasRest != 0 {
		ev.Name = t.string()
		if feedengine.ReadFact(ev, t.bytes()) != nil {
			t.fail()
		}
		if more := t.more(); more != nil && ev.Post != nil {
			ev.Post.More = more
		}
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
	b = putUint(b, uint64(p.Comments))
	return putMore(b, p.More)
}

// leastPost is how many bytes a post takes that stands alone.
const leastPost = 14

func (t *taker) post() *feedengine.Post {
	return &feedengine.Post{
		ID: t.id(), Author: t.string(), Kind: t.string(), Text: t.string(),
		Likes: int(t.upTo(1 << 40)), Comments: int(t.upTo(1 << 40)), More: t.more(),
	}
}
