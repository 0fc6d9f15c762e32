package feedengine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A handover as bytes. Numbers are varints unless a comment says otherwise;
// strings and lists begin with their length.
//
//	version   1 byte
//	shard
//	next      8 bytes, little endian
//	heads     list of {epoch, first, seq, id}
//	events    list of events, as appendEvent writes them
//	authors   list of strings: whom anybody follows, each once
//	views     list of {
//	  user     string
//	  stream   8 bytes
//	  n, v
//	  follows  list of {index in authors, young}
//	  tail     list of indices in events
//	  feed     counter, each of kept with its index in follows
//	  social   1 byte: 0, or 1 and {
//	    name   string
//	    hides  list of {string, kind in 1 byte}
//	    notes  counter
//	    chats  list of {conversation above the one before, counter}
//	    top
//	    stale  1 byte
//	  }
//	}
//
// A counter is
//
//	mark
//	flags  1 byte: more, stale, lost
//	below
//	kept   list of {id above the one before, or above the mark}
const handoverVersion = 2

const (
	flagMore  = 1 << 0
	flagStale = 1 << 1
	flagLost  = 1 << 2
)

// EncodeHandover writes a handover as bytes.
func EncodeHandover(h *Handover) []byte {
	b := []byte{handoverVersion}
	b = binary.AppendUvarint(b, uint64(h.Shard))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Next))
	b = binary.AppendUvarint(b, uint64(len(h.Heads)))
	for _, head := range h.Heads {
		b = appendNumbers(b, head.Epoch, head.First, head.Seq, uint64(head.ID))
	}
	b = binary.AppendUvarint(b, uint64(len(h.Events)))
	for _, ev := range h.Events {
		b = appendEvent(b, ev)
	}

	index := map[string]uint64{}
	var names []string
	for i := range h.Views {
		for _, f := range h.Views[i].Follows {
			if _, ok := index[f.Author]; !ok {
				index[f.Author] = uint64(len(names))
				names = append(names, f.Author)
			}
		}
	}
	b = appendStrings(b, names)
	b = binary.AppendUvarint(b, uint64(len(h.Views)))
	place := map[string]uint64{}
	for i := range h.Views {
		b = appendView(b, &h.Views[i], index, place)
	}
	return b
}

// appendView writes a view. place is for the use of the function alone.
func appendView(b []byte, v *HandoverView, index, place map[string]uint64) []byte {
	b = appendString(b, v.User)
	b = binary.LittleEndian.AppendUint64(b, uint64(v.Stream))
	b = appendNumbers(b, v.N, v.V, uint64(len(v.Follows)))
	clear(place)
	for i, f := range v.Follows {
		place[f.Author] = uint64(i)
		b = appendNumbers(b, index[f.Author], uint64(f.Young))
	}
	b = binary.AppendUvarint(b, uint64(len(v.Tail)))
	for _, at := range v.Tail {
		b = binary.AppendUvarint(b, uint64(at))
	}
	b = appendCounter(b, &v.Feed, place)
	if !v.social() {
		return append(b, 0)
	}
	b = appendString(append(b, 1), v.Name)
	b = binary.AppendUvarint(b, uint64(len(v.Hides)))
	for _, h := range v.Hides {
		b = append(appendString(b, h.Other), byte(h.Kind))
	}
	b = appendCounter(b, &v.Notes, nil)
	b = binary.AppendUvarint(b, uint64(len(v.Chats)))
	last := ID(0)
	for i := range v.Chats {
		c := &v.Chats[i]
		b = binary.AppendUvarint(b, uint64(c.Conversation-last))
		b = appendCounter(b, &c.HandoverCounter, nil)
		last = c.Conversation
	}
	b = binary.AppendUvarint(b, uint64(v.ChatTop))
	return append(b, bit(v.ChatsStale, 1))
}

// appendCounter writes a counter; with place also whose each id is.
func appendCounter(b []byte, c *HandoverCounter, place map[string]uint64) []byte {
	b = binary.AppendUvarint(b, uint64(c.Mark))
	b = append(b, bit(c.More, flagMore)|bit(c.Stale, flagStale)|bit(c.Lost, flagLost))
	b = appendNumbers(b, uint64(c.Below), uint64(len(c.Kept)))
	last := c.Mark
	for _, u := range c.Kept {
		b = binary.AppendUvarint(b, uint64(u.ID-last))
		if place != nil {
			b = binary.AppendUvarint(b, place[u.Author])
		}
		last = u.ID
	}
	return b
}

func bit(on bool, flag byte) byte {
	if on {
		return flag
	}
	return 0
}

// appendEvent writes kind, shard, epoch, seq, id, actor, name, target, list, users,
// the fact as AppendFact does and, of a KindPost or a KindPostEdited, the post:
// id, author, kind, text, likes, comments, and More as JSON, each as a string.
func appendEvent(b []byte, ev *Event) []byte {
	b = append(b, byte(ev.Kind))
	b = appendNumbers(b, uint64(ev.Shard), ev.Epoch, ev.Seq, uint64(ev.ID))
	b = appendString(appendString(b, ev.Actor), ev.Name)
	b = binary.AppendUvarint(b, uint64(ev.Target))
	b = append(b, byte(ev.List))
	b = appendStrings(b, ev.Users)
	fact, _ := AppendFact(nil, ev) // what cannot be written will be missed by the reader
	b = appendString(b, string(fact))
	if !ev.hasPost() {
		return b
	}
	p := ev.Post
	b = binary.AppendUvarint(b, uint64(p.ID))
	b = appendString(b, p.Author)
	b = appendString(b, p.Kind)
	b = appendString(b, p.Text)
	b = appendNumbers(b, uint64(p.Likes), uint64(p.Comments))
	var more []byte
	if p.More != nil {
		more, _ = json.Marshal(p.More)
	}
	return appendString(b, string(more))
}

func (e *Event) hasPost() bool { return e.Kind == KindPost || e.Kind == KindPostEdited }

func appendNumbers(b []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

var errHandover = errors.New("not a handover")

// DecodeHandover reads what EncodeHandover wrote. Whatever the bytes are, it
// allocates no more than a small multiple of them, and what it accepts is fit
// for Import by a node with as many shards as the handover has heads.
func DecodeHandover(data []byte) (*Handover, error) {
	if len(data) > 0 && data[0] != handoverVersion {
		return nil, fmt.Errorf("handover of version %d, this node reads %d", data[0], handoverVersion)
	}
	r := reader{rest: data}
	r.byte()
	h := &Handover{Shard: ShardID(r.below(MaxShards)), Next: StreamID(r.fixed())}
	for range r.count(4) {
		h.Heads = append(h.Heads, Head{Epoch: r.number(), First: r.number(), Seq: r.number(), ID: r.id()})
	}
	r.must(len(h.Heads) <= MaxShards && int(h.Shard) < len(h.Heads))
	for range r.count(11) {
		if r.failed {
			break
		}
		h.Events = append(h.Events, r.event())
	}
	names := r.strings()
	for _, name := range names {
		r.must(ValidUser(name))
	}
	users := map[string]bool{}
	seen := make([]int, len(names)) // 1 + the last view that follows the author
	for i := range r.count(19) {
		if r.failed {
			break
		}
		v := r.view(names, h.Events, func(author uint64) bool {
			again := seen[author] == i+1
			seen[author] = i + 1
			return !again
		})
		r.must(!users[v.User])
		users[v.User] = true
		h.Views = append(h.Views, v)
	}
	if r.failed || len(r.rest) > 0 {
		return nil, errHandover
	}
	return h, nil
}

// reader takes a handover's bytes apart. After a failure all it reads is zero.
type reader struct {
	rest   []byte
	failed bool
}

// view reads a view. first reports whether its user has not followed the author yet.
func (r *reader) view(names []string, events []*Event, first func(author uint64) bool) HandoverView {
	v := HandoverView{User: r.string(), Stream: StreamID(r.fixed()), N: r.number(), V: r.number()}
	r.must(ValidUser(v.User))
	for range r.count(2) {
		at := r.below(len(names))
		young := r.id()
		if r.failed {
			break
		}
		r.must(first(at) && names[at] != v.User)
		v.Follows = append(v.Follows, HandoverEdge{Author: names[at], Young: young})
	}
	for range r.count(1) {
		v.Tail = append(v.Tail, uint32(r.below(len(events))))
	}
	r.must(uint64(len(v.Tail)) <= v.N)

	v.Feed = r.counter(v.Follows, true)
	switch r.byte() {
	case 0:
	case 1:
		r.social(&v)
	default:
		r.must(false)
	}
	r.must(r.failed || !v.showsHidden(events))
	return v
}

// showsHidden reports whether there is anything in the view that it hides.
func (v *HandoverView) showsHidden(events []*Event) bool {
	var h hides
	for _, hide := range v.Hides {
		h.set(hide.Other, hide.Kind, true)
	}
	return slices.ContainsFunc(v.Tail, func(at uint32) bool { return h.hide(events[at]) }) ||
		slices.ContainsFunc(v.Feed.Kept, func(u UnreadID) bool { return h.hidden(u.Author) })
}

// social reads what a view has beside the feed.
func (r *reader) social(v *HandoverView) {
	v.Name = r.string()
	var last Hide
	for range r.count(3) {
		h := Hide{Other: r.string(), Kind: HideKind(r.byte())}
		r.must(ValidUser(h.Other) && h.Other != v.User && HideBlock <= h.Kind && h.Kind <= HideMute)
		r.must(last.Other < h.Other || last.Other == h.Other && last.Kind < h.Kind)
		if r.failed {
			break
		}
		v.Hides = append(v.Hides, h)
		last = h
	}
	v.Notes = r.counter(nil, false)
	conversation := ID(0)
	for range r.count(5) {
		step := r.id()
		r.must(step > 0 && step <= MaxID-conversation)
		conversation += step
		c := HandoverChat{conversation, r.counter(nil, false)}
		r.must(len(c.Kept)+int(c.Below) > 0)
		if r.failed {
			break
		}
		v.Chats = append(v.Chats, c)
	}
	v.ChatTop = r.id()
	for i := range v.Chats {
		r.must(v.Chats[i].Mark <= v.ChatTop)
	}
	stale := r.byte()
	r.must(stale <= 1)
	v.ChatsStale = stale == 1
}

// counter reads a counter; with authors also whose each id is.
func (r *reader) counter(follows []HandoverEdge, authors bool) (c HandoverCounter) {
	c.Mark = r.id()
	flags := r.byte()
	c.More, c.Stale, c.Lost = flags&flagMore != 0, flags&flagStale != 0, flags&flagLost != 0
	r.must(flags&^(flagMore|flagStale|flagLost) == 0 && (c.Stale || !c.Lost))
	c.Below = int32(r.below(MaxUnread + 1))
	last := c.Mark
	for range r.count(1) {
		step := r.id()
		r.must(step > 0 && step <= MaxID-last)
		last += step
		u := UnreadID{ID: last}
		if authors {
			by := r.below(len(follows))
			if r.failed {
				break
			}
			u.Author = follows[by].Author
		}
		if r.failed {
			break
		}
		c.Kept = append(c.Kept, u)
	}
	r.must(len(c.Kept)+int(c.Below) <= MaxUnread)
	return c
}

func (r *reader) event() *Event {
	ev := &Event{Kind: EventKind(r.byte()), Shard: ShardID(r.below(MaxShards)), Epoch: r.number(), Seq: r.number(), ID: r.id()}
	ev.Actor, ev.Name, ev.Target, ev.List, ev.Users = r.string(), r.string(), r.id(), List(r.byte()), r.strings()
	fact := r.take(r.count(1))
	if ev.Kind == KindVoid {
		return void
	}
	r.must(r.failed || ReadFact(ev, fact) == nil)
	switch ev.Kind {
	case KindPost, KindPostEdited:
		ev.Post = &Post{ID: r.id(), Author: r.string(), Kind: r.string(), Text: r.string()}
		ev.Post.Likes, ev.Post.Comments = int(r.id()), int(r.id())
		if more := r.take(r.count(1)); len(more) > 0 {
			ev.Post.More = &More{}
			r.must(json.Unmarshal(more, ev.Post.More) == nil)
		}
	case KindNote, KindMessage, KindReceipt:
		r.must(ev.Fact != nil)
	case KindRead:
		r.must(ev.Fact != nil || ev.List != ListMessages)
	}
	return ev
}

func (r *reader) must(ok bool) {
	if !ok {
		r.failed, r.rest = true, nil
	}
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.must(size > 0); r.failed {
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// below reads a number below the limit.
func (r *reader) below(limit int) uint64 {
	n := r.number()
	if r.must(n < uint64(limit)); r.failed {
		return 0
	}
	return n
}

func (r *reader) id() ID {
	n := r.number()
	if r.must(n <= uint64(MaxID)); r.failed {
		return 0
	}
	return ID(n)
}

// count reads how many elements follow, of at least size bytes each: never more
// than there can be.
func (r *reader) count(size int) int {
	return int(r.below(len(r.rest)/size + 1))
}

func (r *reader) take(n int) []byte {
	if r.must(n <= len(r.rest)); r.failed {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) fixed() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) string() string { return string(r.take(r.count(1))) }

func (r *reader) strings() (list []string) {
	for range r.count(1) {
		if r.failed {
			return nil
		}
		list = append(list, r.string())
	}
	return list
}
