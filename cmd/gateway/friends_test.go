package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// friend is one of a few people who follow each other and do all that there is
// beside publishing: write to one or to all, like, comment, delete, read, and one
// of them blocks another now and then. They act on one device; the other, the
// swarmReader, shows what it is sent, as an app does.
type friend struct {
	*swarmReader
	i    int
	done atomic.Int64   // acknowledged
	said map[string]int // messages by series; owned by live

	// What the second device shows, guarded by mu.
	shown  map[string]event  // posts, notifications and messages by id
	last   map[string]uint64 // by conversation: the newest message that an event brought
	hidden string            // who is hidden; "": nobody, or it is not known
}

const (
	swarmFriends = 4
	// blocker blocks blocked, and nobody else anybody.
	blocker, blocked = "friend0", "friend2"
	// friendPace is between two things that a friend does.
	friendPace = 200 * time.Millisecond
)

// facts are what was acknowledged to the friends.
type facts struct {
	mu       sync.Mutex
	lost     bool                       // the database has forgotten some
	posts    map[string]event           // by id
	deleted  map[string]bool            // posts; or they are about to be
	likes    map[string]map[string]bool // by post, then by who likes it
	comments map[string]event
	messages map[string]event
	members  map[string][]string          // by conversation
	marks    map[string]map[string]string // by friend, then by list or conversation
	blocked  bool
	// unsure: posts of which a like or comment was first not answered and then
	// refused, since there was a block by then.
	unsure map[string]bool
}

func (x *facts) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return fmt.Sprintf("of friends %d posts, %d deleted, %d liked, %d comments, %d messages, %d unsure",
		len(x.posts), len(x.deleted), len(x.likes), len(x.comments), len(x.messages), len(x.unsure))
}

// befriend starts the friends.
func (s *swarm) befriend() {
	s.facts = facts{
		posts: map[string]event{}, deleted: map[string]bool{}, likes: map[string]map[string]bool{}, comments: map[string]event{},
		messages: map[string]event{}, members: map[string][]string{}, marks: map[string]map[string]string{}, unsure: map[string]bool{},
	}
	for i := range swarmFriends {
		f := &friend{
			swarmReader: newSwarmReader(fmt.Sprint("friend", i)), i: i, said: map[string]int{},
			shown: map[string]event{}, last: map[string]uint64{},
		}
		f.take, f.fetch = f.show, f.fetchAll
		s.friends = append(s.friends, f)
		s.facts.marks[f.name] = map[string]string{}
	}
	for i, f := range s.friends {
		c, n, err := s.connect(f.name, i, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		c.must("follow", map[string]any{"users": s.others(f)}) // of which nobody is notified
		s.reading.Go(func() { s.read(f.swarmReader, i, c, n) })
	}
	for _, f := range s.friends {
		s.writing.Go(func() { s.live(f) })
	}
}

func (s *swarm) others(f *friend) (names []string) {
	for _, o := range s.friends {
		if o != f {
			names = append(names, o.name)
		}
	}
	return names
}

// forgiveFriends is told that the database has forgotten what was acknowledged.
func (s *swarm) forgiveFriends() {
	s.facts.mu.Lock()
	s.facts.lost = true
	s.facts.mu.Unlock()
	for _, f := range s.friends {
		f.mu.Lock()
		f.again = map[string][2]int{}
		for series, next := range f.next {
			f.again[series] = [2]int{0, next + 1}
		}
		f.mu.Unlock()
	}
}

// asking sends a request until it is answered, and tells how often it was sent.
type asking func(op string, fields map[string]any) (ok okay, times int, err error)

// live does one thing after the other.
func (s *swarm) live(f *friend) {
	c, n := s.reconnect(f.name, f.i+1, nil)
	pace := time.NewTicker(friendPace)
	defer pace.Stop()
	ask := func(op string, fields map[string]any) (ok okay, times int, err error) {
		for c != nil {
			times++
			ok, err = c.try(op, fields)
			c.queued = nil
			refused := refusal(err)
			switch {
			case err == nil:
				f.done.Add(1)
				return ok, times, nil
			case refused != nil && !refused.Retryable:
				return okay{}, times, err
			case refused != nil:
				s.refused.Add(1)
				select {
				case <-pace.C:
				case <-s.end:
					return okay{}, times, errEnding
				}
			case !s.mayLose(n):
				return okay{}, times, fmt.Errorf("the socket was lost: %w", err)
			default:
				s.closed(c)
				c, n = s.reconnect(f.name, f.i+1, nil)
			}
		}
		return okay{}, times, errEnding
	}
	for k := 0; ; k++ {
		select {
		case <-s.halt:
			return
		case <-s.end:
			return
		case <-pace.C:
		}
		if err := s.act(f, k, ask); err != nil {
			if !errors.Is(err, errEnding) {
				s.t.Errorf("%s, at step %d: %v", f.name, k, err)
			}
			return
		}
	}
}

// act does what is due at step k.
func (s *swarm) act(f *friend, k int, ask asking) error {
	x := &s.facts
	others := s.others(f)
	turn := k / 12
	switch k % 12 {
	case 0, 6:
		ok, _, err := ask("publish", map[string]any{"text": fmt.Sprintf("%s/%d", f.name, k), "key": fmt.Sprint("k", k)})
		if err == nil {
			x.mu.Lock()
			x.posts[ok.Post.ID] = *ok.Post
			x.mu.Unlock()
		}
		return err
	case 1: // neighbours do not block each other
		return s.say(f, ask, s.friends[(f.i+1)%swarmFriends].name)
	case 7:
		return s.say(f, ask, s.friends[(f.i+3)%swarmFriends].name)
	case 3:
		return s.say(f, ask, others...)
	case 2, 8:
		if f.name == blocker {
			// Not before there is the group: nobody opens one across a block.
			return s.block((k%12 == 8) == (turn%2 == 0), func(op string, fields map[string]any) error {
				_, _, err := ask(op, fields)
				return err
			})
		}
		return s.about(f, ask, "like", s.newest(others[(turn+k/8)%3]), nil)
	case 4:
		return s.about(f, ask, "comment", s.newest(others[turn%3]), map[string]any{"text": f.name, "key": fmt.Sprint("k", k)})
	case 5:
		return s.mark(f, ask, "message")
	case 9:
		return s.mark(f, ask, "notification")
	case 10:
		if turn%2 == 0 {
			return s.mark(f, ask, "post")
		}
		return s.about(f, ask, "unlike", s.liked(f.name), nil)
	}
	// 11: of two posts or more the oldest goes.
	var live []string
	x.mu.Lock()
	for id, p := range x.posts {
		if p.Author == f.name && !x.deleted[id] {
			live = append(live, id)
		}
	}
	if len(live) < 2 {
		x.mu.Unlock()
		return nil
	}
	oldest := slices.MinFunc(live, byID)
	x.deleted[oldest] = true
	x.mu.Unlock()
	_, times, err := ask("delete", map[string]any{"post": oldest})
	if r := refusal(err); r != nil && r.Code == "not_found" && (times > 1 || x.forgot()) {
		return nil // its first answer was lost
	}
	return err
}

// byID orders ids.
func byID(a, b string) int { return cmp.Compare(number(a), number(b)) }

func number(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64) // "" is before all
	return n
}

func (x *facts) forgot() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lost
}

// newest is somebody's newest post, "" when there is none.
func (s *swarm) newest(author string) (id string) {
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	for post, p := range x.posts {
		if p.Author == author && !x.deleted[post] && byID(post, id) > 0 {
			id = post
		}
	}
	return id
}

// liked is the newest post that somebody likes, "" when there is none.
func (s *swarm) liked(by string) (id string) {
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	for post, who := range x.likes {
		if who[by] && !x.deleted[post] && byID(post, id) > 0 {
			id = post
		}
	}
	return id
}

// about likes, unlikes or comments on a post, which may not be there any more.
func (s *swarm) about(f *friend, ask asking, op, post string, with map[string]any) error {
	if post == "" {
		return nil
	}
	fields := map[string]any{"post": post}
	maps.Copy(fields, with)
	ok, times, err := ask(op, fields)
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	owner := x.posts[post].Author
	pair := f.name == blocker && owner == blocked || f.name == blocked && owner == blocker
	if r := refusal(err); r != nil && r.Code == "not_found" && (x.deleted[post] || x.lost || pair) {
		if times > 1 {
			x.unsure[post] = true
		}
		return nil
	}
	if err != nil {
		return err
	}
	if op == "comment" {
		x.comments[ok.Comment.ID] = *ok.Comment
		return nil
	}
	if x.likes[post] == nil {
		x.likes[post] = map[string]bool{}
	}
	x.likes[post][f.name] = op == "like"
	return nil
}

// say writes to one, or to all.
func (s *swarm) say(f *friend, ask asking, to ...string) error {
	series := f.name + ">" + to[0]
	if len(to) > 1 {
		series = f.name + ">all"
	}
	text := fmt.Sprintf("%s/%d", series, f.said[series])
	f.said[series]++
	ok, _, err := ask("message", map[string]any{"to": to, "text": text, "key": text})
	if err != nil {
		return err
	}
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	x.messages[ok.Message.ID] = event{ID: ok.Message.ID, Conversation: ok.Message.Conversation, From: f.name, Text: text}
	x.members[ok.Message.Conversation] = append(to, f.name)
	return nil
}

// mark reads what the second device shows, but for the two newest.
func (s *swarm) mark(f *friend, ask asking, kind string) error {
	var seen []event
	f.mu.Lock()
	for _, e := range f.shown {
		if e.Type == kind && e.From != f.name {
			seen = append(seen, e)
		}
	}
	f.mu.Unlock()
	if len(seen) < 3 {
		return nil
	}
	slices.SortFunc(seen, func(a, b event) int { return byID(b.ID, a.ID) })
	e := seen[2]
	list := map[string]string{"post": "feed", "notification": "notifications", "message": "messages"}[kind]
	fields := map[string]any{"of": list, "upto": e.ID}
	if kind == "message" {
		list = e.Conversation
		fields["conversation"] = list
	}
	ok, _, err := ask("read", fields)
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	if r := refusal(err); r != nil && r.Code == "not_found" && x.lost {
		return nil
	}
	if err != nil {
		return err
	}
	if byID(ok.Upto, e.ID) < 0 {
		return fmt.Errorf("a mark at %s, asked for %s", ok.Upto, e.ID)
	}
	x.marks[f.name][list] = ok.Upto
	return nil
}

// block has the blocker block, or end that.
func (s *swarm) block(on bool, ask func(op string, fields map[string]any) error) error {
	op := "unblock"
	if on {
		op = "block"
	}
	err := ask(op, map[string]any{"user": blocked})
	if err == nil {
		s.facts.mu.Lock()
		s.facts.blocked = on
		s.facts.mu.Unlock()
	}
	return err
}

// show takes an event in, as an app does.
func (f *friend) show(e *event) {
	if e.Type == "message" {
		f.number(e)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if by := f.hidden; by != "" && (e.Author == by || e.From == by || e.Actor == by || slices.Contains(e.Actors, by) || e.Type == "receipt" && e.User == by) {
		f.broken = append(f.broken, fmt.Sprintf("hidden, and shown all the same: %+v", *e))
	}
	switch e.Type {
	case "post", "notification":
		f.shown[e.ID] = *e
	case "message":
		if id := number(e.ID); id <= f.last[e.Conversation] {
			f.broken = append(f.broken, fmt.Sprintf("message %s of %s after %d", e.ID, e.Conversation, f.last[e.Conversation]))
		}
		f.last[e.Conversation] = number(e.ID)
		f.shown[e.ID] = *e
	case "post_deleted":
		maps.DeleteFunc(f.shown, func(id string, s event) bool { return id == e.Post || s.Post == e.Post })
	case "notification_deleted":
		delete(f.shown, e.Notification)
	case "hidden":
		f.hidden = e.User
		for id, s := range f.shown {
			s.Actors = slices.DeleteFunc(slices.Clone(s.Actors), func(a string) bool { return a == e.User })
			f.shown[id] = s
			if s.Author == e.User || s.From == e.User || len(s.Actors) == 0 && s.Actor == e.User {
				delete(f.shown, id)
			}
		}
	case "shown":
		f.hidden, f.stale = "", true
		f.gap[e.User+">all"] = true // what it said meanwhile
	}
}

// fetchAll asks for all that is shown.
func (f *friend) fetchAll(c *client) error {
	list, _, err := pages(c)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hidden = ""
	clear(f.shown)
	for _, e := range list {
		f.shown[e.ID] = e
	}
	return err
}

// pages are all posts, notifications and messages that a user can see, and the
// read marks by list and conversation.
func pages(c *client) (list []event, marks map[string]string, err error) {
	marks = map[string]string{}
	ask := func(op string, fields map[string]any) (ok okay) {
		for err == nil {
			if ok, err = c.try(op, fields); err == nil {
				return ok
			}
			if refused := refusal(err); refused != nil && refused.Retryable {
				err = nil
				<-time.After(friendPace)
			}
		}
		return ok
	}
	all := func(op, kind string, fields map[string]any, of func(okay) []event) {
		fields["limit"] = 100
		for last := ""; err == nil; fields["before"] = last {
			ok := ask(op, fields)
			for i, e := range of(ok) {
				if e.Type = kind; i > 0 && byID(e.ID, list[len(list)-1].ID) >= 0 {
					err = fmt.Errorf("%s: %s after %s", op, e.ID, list[len(list)-1].ID)
				}
				list = append(list, e)
			}
			if last = ok.Next; last == "" {
				return
			}
		}
	}
	all("feed", "post", map[string]any{}, func(ok okay) []event { return ok.Posts })
	all("notifications", "notification", map[string]any{}, func(ok okay) []event { return ok.Notifications })
	for _, of := range []string{"feed", "notifications"} {
		marks[of] = ask("read", map[string]any{"of": of, "upto": "0"}).Upto
	}
	var chats []struct{ ID, Read string }
	if ok := ask("conversations", map[string]any{"limit": 100}); err == nil {
		err = json.Unmarshal(ok.Conversations, &chats)
	}
	for _, chat := range chats {
		marks[chat.ID] = chat.Read
		all("messages", "message", map[string]any{"conversation": chat.ID}, func(ok okay) []event { return ok.Messages })
	}
	return list, marks, err
}

// line says what of an event has to be the same wherever it is seen.
func (e event) line() string {
	switch {
	case e.Type == "message":
		return fmt.Sprintf("message %s in %s: %s", e.ID, e.Conversation, e.Text)
	case e.Type == "post":
		return fmt.Sprintf("post %s: %s", e.ID, e.Text)
	case e.Kind == "like":
		slices.Sort(e.Actors)
		return fmt.Sprintf("likes of %s by %s", e.Post, e.Actors)
	}
	return fmt.Sprintf("%s %s of %s by %s", e.Kind, e.ID, e.Post, e.Actor)
}

// lines are all of them, but for notifications of which the facts are not sure.
func (x *facts) lines(list []event) (lines []string) {
	for _, e := range list {
		if e.Type != "notification" || !x.unsure[e.Post] {
			e.Actors = slices.Clone(e.Actors)
			lines = append(lines, e.line())
		}
	}
	slices.Sort(lines)
	return lines
}

// of is what a friend can see by the facts.
func (x *facts) of(name string) (list []event) {
	hidden := func(by string) bool {
		return x.blocked && (name == blocker && by == blocked || name == blocked && by == blocker)
	}
	for id, p := range x.posts {
		if x.deleted[id] || hidden(p.Author) {
			continue
		}
		p.Type = "post"
		list = append(list, p)
		if p.Author != name {
			continue
		}
		note := event{Type: "notification", Kind: "like", Post: id}
		for by, likes := range x.likes[id] {
			if likes && !hidden(by) {
				note.Actors = append(note.Actors, by)
			}
		}
		if len(note.Actors) > 0 {
			list = append(list, note)
		}
	}
	for id, c := range x.comments {
		if x.posts[c.Post].Author == name && !x.deleted[c.Post] && !hidden(c.Author) {
			list = append(list, event{Type: "notification", Kind: "comment", ID: id, Post: c.Post, Actor: c.Author})
		}
	}
	for _, m := range x.messages {
		if slices.Contains(x.members[m.Conversation], name) && !hidden(m.From) {
			m.Type = "message"
			list = append(list, m)
		}
	}
	return list
}

// counted is what a user's counters have to be for what pages have.
func counted(name string, list []event, marks map[string]string) (u unread, chats map[string]int) {
	chats = map[string]int{}
	for _, e := range list {
		switch {
		case e.Type == "post" && e.Author != name && byID(e.ID, marks["feed"]) > 0:
			u.Feed++
		case e.Type == "notification" && byID(e.ID, marks["notifications"]) > 0:
			u.Notifications++
		case e.Type == "message" && e.From != name && byID(e.ID, marks[e.Conversation]) > 0:
			u.Messages++
			chats[e.Conversation]++
		}
	}
	return u, chats
}

// differs compares a friend's facts, pages, marks and counters on two nodes, and
// what the second device shows. It returns "" when all agree.
func (s *swarm) differs(f *friend) string {
	x := &s.facts
	x.mu.Lock()
	defer x.mu.Unlock()
	var here []string
	var u unread
	for k := range 2 {
		c, _, err := s.connect(f.name, f.i+k, nil)
		if err != nil {
			return err.Error()
		}
		defer s.closed(c)
		list, marks, err := pages(c)
		if err != nil {
			return err.Error()
		}
		here = x.lines(list)
		if want := x.lines(x.of(f.name)); !x.lost && !slices.Equal(here, want) {
			return "the pages against the facts: " + difference(here, want)
		}
		for list, mark := range x.marks[f.name] {
			if marks[list] != mark && !x.lost {
				return fmt.Sprintf("the mark of %s is %s, want %s", list, marks[list], mark)
			}
		}
		var chats map[string]int
		u, chats = counted(f.name, list, marks)
		ok, err := c.try("unread", nil)
		if err != nil {
			return err.Error()
		}
		got := map[string]int{}
		if err := json.Unmarshal(ok.Conversations, &got); err != nil {
			return err.Error()
		}
		u.V = ok.Unread.V
		if *ok.Unread != u || !maps.Equal(got, chats) {
			return fmt.Sprintf("the counters are %+v %v, want %+v %v", *ok.Unread, got, u, chats)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if shown := x.lines(slices.Collect(maps.Values(f.shown))); !slices.Equal(shown, here) {
		return "what is shown against the pages: " + difference(shown, here)
	}
	if u.V = f.unread.V; f.unread != u {
		return fmt.Sprintf("the counters shown are %+v, want %+v", f.unread, u)
	}
	return ""
}

func difference(got, want []string) string {
	more := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return slices.Contains(want, l) })
	less := slices.DeleteFunc(slices.Clone(want), func(l string) bool { return slices.Contains(got, l) })
	return fmt.Sprintf("%d, want %d: too much %q, missing %q", len(got), len(want), more, less)
}

// finishFriends checks everything of theirs, with a block and after its end.
func (s *swarm) finishFriends() {
	s.t.Helper()
	for _, on := range []bool{true, false} {
		c, _, err := s.connect(blocker, 0, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.block(on, func(op string, fields map[string]any) error {
			c.must(op, fields)
			return nil
		})
		if on {
			if _, refused := c.do("message", map[string]any{"to": blocked, "text": "hello"}); refused == nil || refused.Code != "forbidden" {
				s.t.Errorf("a message to somebody who is blocked: %v", refused)
			}
		}
		s.closed(c)
		for _, f := range s.friends {
			var why string
			defer func() {
				if why != "" {
					s.t.Errorf("%s, block %v: %s", f.name, on, why)
				}
			}()
			eventually(s.t, fmt.Sprintf("all agrees for %s", f.name), func() bool {
				why = s.differs(f)
				return why == ""
			})
		}
	}
}
