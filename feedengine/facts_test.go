package feedengine

import (
	"maps"
	"slices"
	"strings"
)

// facts is the naive model: what is durable and nothing else. Whatever it is
// asked it recounts from the start of the logs.
type facts struct {
	shardOf func(user string) ShardID
	logs    [][]*Event
	ends    []Head // of the logs: Seq and ID are those of the last event
	marks   map[markOf]ID
}

// markOf names a read mark that is in no log.
type markOf struct {
	user string
	list List
}

func newFacts(shards int, shardOf func(string) ShardID) *facts {
	f := &facts{shardOf: shardOf, logs: make([][]*Event, shards), marks: map[markOf]ID{}}
	for range shards {
		f.ends = append(f.ends, Head{Epoch: 1, First: 1})
	}
	return f
}

// commit appends an event to the log of its Shard.
func (f *facts) commit(ev *Event) {
	end := &f.ends[ev.Shard]
	ev.Epoch, ev.Seq = end.Epoch, end.Seq+1
	f.logs[ev.Shard] = append(f.logs[ev.Shard], ev)
	end.Seq, end.ID = ev.Seq, ev.ID
}

// expect appends an event that is to be committed.
func (f *facts) expect(ev *Event) {
	f.logs[ev.Shard] = append(f.logs[ev.Shard], ev)
	f.ends[ev.Shard].Seq++
}

// lose is a database that comes back without the events of a log above seq, and
// the claim that follows.
func (f *facts) lose(shard ShardID, seq uint64) {
	end := Head{Epoch: f.ends[shard].Epoch + 1, First: seq + 1, Seq: seq}
	if seq > 0 {
		end.ID = f.logs[shard][seq-1].ID
	}
	f.logs[shard], f.ends[shard] = f.logs[shard][:seq:seq], end
}

// heads are those of all that is committed.
func (f *facts) heads() []Head { return slices.Clone(f.ends) }

func (f *facts) headsAt(seqs []uint64) []Head {
	heads := make([]Head, len(seqs))
	for i, seq := range seqs {
		heads[i] = f.headAt(ShardID(i), seq)
	}
	return heads
}

// headAt is the head of a log as it was when seq was its last event.
func (f *facts) headAt(shard ShardID, seq uint64) Head {
	switch {
	case seq == f.ends[shard].Seq:
		return f.ends[shard]
	case seq == 0:
		return Head{}
	}
	last := f.logs[shard][seq-1]
	h := Head{Epoch: last.Epoch, First: seq, Seq: seq, ID: last.ID}
	for h.First > 1 && f.logs[shard][h.First-2].Epoch == h.Epoch {
		h.First--
	}
	return h
}

// log is a user's log as of the heads.
func (f *facts) log(user string, heads []Head) []*Event {
	s := f.shardOf(user)
	return f.logs[s][:heads[s].Seq]
}

// follows are a user's edges in order of author.
func (f *facts) follows(user string, heads []Head) []Edge {
	var edges []Edge
	for _, ev := range f.log(user, heads) {
		if ev.Actor != user {
			continue
		}
		for _, author := range ev.Users {
			i, found := slices.BinarySearchFunc(edges, author, func(e Edge, a string) int { return strings.Compare(e.Author, a) })
			switch {
			case ev.Kind == KindFollow && !found && author != user:
				edges = slices.Insert(edges, i, Edge{author, ev.ID})
			case ev.Kind == KindUnfollow && found:
				edges = slices.Delete(edges, i, i+1)
			}
		}
	}
	return edges
}

// posts are an author's posts that have not been deleted, those above the id.
func (f *facts) posts(author string, heads []Head, above ID) []*Event {
	var posts []*Event
	for _, ev := range f.log(author, heads) {
		switch {
		case ev.Actor != author:
		case ev.Kind == KindPost && ev.ID > above:
			posts = append(posts, ev)
		case ev.Kind == KindPostDeleted:
			posts = slices.DeleteFunc(posts, func(p *Event) bool { return p.ID == ev.Target })
		}
	}
	return posts
}

// unread is what counts in a user's feed, ascending.
func (f *facts) unread(user string, heads []Head, mark ID) []UnreadID {
	var ids []UnreadID
	hidden, _ := f.hiddenFrom(user, heads)
	for _, e := range f.follows(user, heads) {
		if hidden[e.Author] {
			continue
		}
		for _, p := range f.posts(e.Author, heads, max(e.Since, mark)) {
			ids = append(ids, UnreadID{p.ID, e.Author})
		}
	}
	slices.SortFunc(ids, func(a, b UnreadID) int { return int(min(1, max(-1, a.ID-b.ID))) })
	return ids
}

// page is the newest piece of a user's feed.
func (f *facts) page(user string, heads []Head, limit int) *Page {
	var posts []*Post
	for _, p := range f.posts(user, heads, 0) {
		posts = append(posts, p.Post)
	}
	hidden, _ := f.hiddenFrom(user, heads)
	for _, e := range f.follows(user, heads) {
		if hidden[e.Author] {
			continue
		}
		for _, p := range f.posts(e.Author, heads, 0) {
			posts = append(posts, p.Post)
		}
	}
	slices.SortFunc(posts, func(a, b *Post) int { return int(min(1, max(-1, b.ID-a.ID))) })
	if len(posts) <= limit {
		return &Page{Posts: posts}
	}
	return &Page{Posts: posts[:limit], Next: posts[limit-1].ID}
}

// load is what storage says of one user in a snapshot at the heads. Marks are
// in no log: they are as of now.
func (f *facts) load(ask LoadUser, heads []Head, keep int) LoadedUser {
	u := LoadedUser{User: ask.User, Follows: f.follows(ask.User, heads), Name: f.displayName(ask.User, heads), Hides: f.hides(ask.User, heads)}
	loaded := func(mark ID, ids []UnreadID) LoadedCount {
		return LoadedCount{Mark: mark, Unread: ids[max(0, len(ids)-keep):], Total: min(len(ids), MaxUnread)}
	}
	mark := f.marks[markOf{ask.User, ListFeed}]
	u.Feed = loaded(mark, f.unread(ask.User, heads, mark))
	mark = f.marks[markOf{ask.User, ListNotifications}]
	var notes []UnreadID
	for _, n := range f.notes(ask.User, heads, mark) {
		notes = append(notes, UnreadID{ID: n.ID})
	}
	u.Notes = loaded(mark, notes)
	reads, chats := f.reads(ask.User, heads), f.chats(ask.User, heads)
	for _, c := range slices.Sorted(maps.Keys(chats)) {
		var ids []UnreadID
		for _, id := range chats[c] {
			ids = append(ids, UnreadID{ID: id})
		}
		u.Chats = append(u.Chats, LoadedChat{c, loaded(reads[c], ids)})
	}
	for _, upto := range reads {
		u.ChatTop = max(u.ChatTop, upto)
	}
	if ask.Page > 0 {
		u.Page = f.page(ask.User, heads, ask.Page)
	}
	return u
}

// between are the events above from and up to to, each log's in order; next
// chooses among n logs which of them comes next.
func (f *facts) between(from, to []Head, next func(n int) int) []*Event {
	var rest [][]*Event
	for i := range from {
		if from[i].Seq < to[i].Seq {
			rest = append(rest, f.logs[i][from[i].Seq:to[i].Seq])
		}
	}
	var events []*Event
	for len(rest) > 0 {
		i := next(len(rest))
		events = append(events, rest[i][0])
		if rest[i] = rest[i][1:]; len(rest[i]) == 0 {
			rest = slices.Delete(rest, i, i+1)
		}
	}
	return events
}

// passed are those of the events, stepped in this order, that a follow has to
// take in.
func passed(follow *Event, stepped []*Event) []*Event {
	var events []*Event
	for _, ev := range stepped {
		if ev.onPages() && ev.ID > follow.ID && slices.Contains(follow.Users, ev.Actor) {
			events = append(events, ev)
		}
	}
	return events
}
