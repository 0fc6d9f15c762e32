package sim

import (
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// What clients do beside publishing and following.

// social is one of them.
func (w *world) social(c *client) {
	switch op := w.dice.intn(100); {
	case op < 22:
		w.like(c, w.dice.chance(3))
	case op < 34:
		w.comment(c)
	case op < 58:
		w.say(c)
	case op < 72:
		w.readTalk(c)
	case op < 80:
		w.readNotes(c)
	case op < 88:
		w.edit(c)
	case op < 97:
		w.hide(c)
	default:
		w.rename(c)
	}
}

// somePost is one that was acknowledged, of anybody. It needs w.mu.
func (w *world) somePost(which func(*posting) bool) *posting {
	var found *posting
	for i, user := range w.users {
		for n := range len(w.ledger.posts) {
			p := w.ledger.posts[fmt.Sprintf("%s-%d", user, n)]
			if p != nil && p.id != 0 && !w.ledger.lost[p.id] && which(p) && (found == nil || w.dice.chance(3+i)) {
				found = p
			}
		}
	}
	return found
}

// hiddenFrom reports whether the user may have a reason not to find the post.
func (w *world) hiddenFrom(user string, p *posting) bool {
	l := w.ledger
	return l.forgot || l.deleted[p.id] > 0 || p.followers || l.everBlocked(user, p.author)
}

// denied takes a refusal of something that concerns a post.
func (w *world) denied(c *client, do feedengine.Action, p *posting, err *feedengine.Error) {
	if err.Code == feedengine.NotFound && w.hiddenFrom(c.user, p) {
		w.count("posts not found")
		return
	}
	w.refused(c, do, err)
}

func (w *world) like(c *client, off bool) {
	w.mu.Lock()
	n, p := c.here(), w.somePost(func(*posting) bool { return true })
	if n == nil || p == nil {
		w.mu.Unlock()
		return
	}
	e := w.ledger.toggle("like", c.user, p.name)
	if e.under > 0 {
		w.mu.Unlock()
		return
	}
	e.under++
	w.mu.Unlock()
	do := feedengine.LikePost{Post: p.id, Off: off}
	n.ask(c.user, do, func(r feedengine.Result) {
		e.answered(r, !off)
		if r.Err != nil {
			w.denied(c, do, p, r.Err)
			return
		}
		w.count("likes and their ends")
	})
}

func (w *world) comment(c *client) {
	w.mu.Lock()
	n, p := c.here(), w.somePost(func(*posting) bool { return true })
	if n == nil || p == nil {
		w.mu.Unlock()
		return
	}
	w.ledger.said++
	s := &saying{user: c.user, text: fmt.Sprintf("comment %d @%s", w.ledger.said, w.users[w.dice.intn(len(w.users))])}
	w.ledger.sayings = append(w.ledger.sayings, s)
	w.mu.Unlock()
	do := feedengine.AddComment{Post: p.id, Text: s.text}
	n.ask(c.user, do, func(r feedengine.Result) {
		if r.Err != nil {
			w.denied(c, do, p, r.Err)
			return
		}
		s.id = r.Comment.ID
		w.count("comments")
	})
}

func (w *world) say(c *client) {
	w.mu.Lock()
	n := c.here()
	w.ledger.said++
	s := &saying{user: c.user, text: fmt.Sprint("message ", w.ledger.said)}
	do := feedengine.Send{Text: s.text}
	answered := "" // whose message it answers
	if m := c.someMessage(w.dice); m != nil && w.dice.chance(2) {
		do.Conversation = m.Conversation
		if w.dice.chance(2) {
			do.Reply, answered = m.ID, m.From
		}
	} else {
		for range 1 + w.dice.intn(2) {
			do.To = append(do.To, w.users[w.dice.intn(len(w.users))])
		}
	}
	if w.dice.chance(3) {
		do.Key = fmt.Sprint("m", w.ledger.said)
	}
	if n == nil {
		w.mu.Unlock()
		return
	}
	w.ledger.sayings = append(w.ledger.sayings, s)
	w.mu.Unlock()
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case r.Err == nil:
			s.id = r.Message.ID
			w.count("messages")
			if r.Message.ID <= do.Reply || do.Conversation != 0 && r.Message.Conversation != do.Conversation {
				w.failf("%s: %+v became %+v", c.name, do, r.Message)
			}
		case r.Err.Code == feedengine.BadRequest && len(feedengine.ConversationMembers(c.user, do.To)) == 1 && do.Conversation == 0:
			w.count("messages to oneself")
		case r.Err.Code == feedengine.Forbidden && w.ledger.blocks > 0:
			w.count("messages to blocked ones")
		case r.Err.Code == feedengine.NotFound && w.ledger.forgot: // the conversation, perhaps
		case r.Err.Code == feedengine.NotFound && answered != "" && w.ledger.everBlocked(c.user, answered):
			w.count("answers to hidden messages")
		default:
			w.refused(c, do, r.Err)
		}
	})
}

// someMessage is one that the client was shown, or nil.
func (c *client) someMessage(d *dice) *feedengine.Message {
	var shown []*feedengine.Message
	for _, g := range c.got {
		if m, ok := g.ev.Fact.(*feedengine.Message); ok && g.ev.Kind == feedengine.KindMessage {
			shown = append(shown, m)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	return shown[d.intn(len(shown))]
}

func (w *world) readTalk(c *client) {
	w.mu.Lock()
	n, m := c.here(), c.someMessage(w.dice)
	if n == nil || m == nil {
		w.mu.Unlock()
		return
	}
	upto := m.ID
	if w.dice.chance(4) {
		upto = feedengine.MaxID
	}
	var do feedengine.Action = feedengine.Received{Conversation: m.Conversation, Upto: upto}
	read := !w.dice.chance(4)
	if read {
		do = feedengine.Read{Of: feedengine.ListMessages, Conversation: m.Conversation, Upto: upto}
	}
	w.mu.Unlock()
	n.ask(c.user, do, func(r feedengine.Result) {
		at := [2]string{c.user, m.Conversation.String()}
		switch {
		case r.Err != nil && r.Err.Code == feedengine.NotFound && w.ledger.forgot:
		case r.Err != nil:
			w.refused(c, do, r.Err)
		case r.Upto < m.ID:
			w.failf("%s: %+v, told %d", c.name, do, r.Upto)
		case read:
			w.count("conversations read")
			w.ledger.talkMarks[at] = max(w.ledger.talkMarks[at], r.Upto)
		}
	})
}

func (w *world) readNotes(c *client) {
	w.mu.Lock()
	n := c.here()
	upto := feedengine.MaxID
	var notes []feedengine.ID
	for _, g := range c.got {
		if g.ev.Kind == feedengine.KindNote {
			notes = append(notes, g.ev.Fact.(*feedengine.Note).ID)
		}
	}
	if len(notes) > 0 && !w.dice.chance(4) {
		upto = notes[w.dice.intn(len(notes))]
	}
	w.mu.Unlock()
	if n == nil {
		return
	}
	do := feedengine.Read{Of: feedengine.ListNotifications, Upto: upto}
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case r.Err != nil:
			w.refused(c, do, r.Err)
		case upto != feedengine.MaxID && r.Upto < upto:
			w.failf("%s: read notifications up to %d, told %d", c.name, upto, r.Upto)
		default:
			w.ledger.noteMarks[c.user] = max(w.ledger.noteMarks[c.user], r.Upto)
		}
	})
}

func (w *world) edit(c *client) {
	w.mu.Lock()
	n, p := c.here(), w.somePost(func(p *posting) bool { return p.author == c.user })
	if n == nil || p == nil {
		w.mu.Unlock()
		return
	}
	w.ledger.said++
	text := fmt.Sprintf("%s, edited %d", p.name, w.ledger.said)
	w.mu.Unlock()
	do := feedengine.Edit{Post: p.id, Text: &text}
	n.ask(c.user, do, func(r feedengine.Result) {
		if r.Err != nil {
			w.denied(c, do, p, r.Err)
			return
		}
		w.count("edits")
	})
}

func (w *world) hide(c *client) {
	w.mu.Lock()
	n, other := c.here(), w.users[w.dice.intn(len(w.users))]
	do := feedengine.HideUser{User: other, Kind: feedengine.HideBlock, Off: !w.dice.chance(3)}
	what := "block"
	if w.dice.chance(3) {
		do.Kind, what = feedengine.HideMute, "mute"
	}
	e := w.ledger.toggle(what, c.user, other)
	if n == nil || other == c.user || e.under > 0 {
		w.mu.Unlock()
		return
	}
	e.under++
	if what == "block" && !do.Off {
		w.ledger.blocks++
		w.ledger.blocked[[2]string{c.user, other}] = true
	}
	w.mu.Unlock()
	w.note("%s: %+v", c.name, do)
	n.ask(c.user, do, func(r feedengine.Result) {
		e.answered(r, !do.Off)
		if r.Err != nil {
			w.refused(c, do, r.Err)
			return
		}
		w.count("hides and their ends")
	})
}

func (w *world) rename(c *client) {
	w.mu.Lock()
	n := c.here()
	w.ledger.said++
	do := feedengine.PutProfile{Profile: feedengine.Profile{Name: fmt.Sprint(c.user, " the ", w.ledger.said), Handle: c.user}}
	w.mu.Unlock()
	if n == nil {
		return
	}
	n.ask(c.user, do, func(r feedengine.Result) {
		if r.Err != nil {
			w.refused(c, do, r.Err)
			return
		}
		w.count("profiles")
	})
}

// saying is a comment or a message; its text is unique.
type saying struct {
	user, text string
	id         feedengine.ID // as acknowledged, 0: it never was
}

// toggle is what is known of something that is so or not.
func (l *ledger) toggle(what, user, other string) *edge {
	at := [3]string{what, user, other}
	if l.toggles[at] == nil {
		l.toggles[at] = &edge{}
	}
	return l.toggles[at]
}

// answered takes note of what an edge is to be by now.
func (e *edge) answered(r feedengine.Result, on bool) {
	e.under--
	switch {
	case r.Err == nil:
		e.known, e.follows = true, on
	case r.Err.Retryable():
		e.unsure = true
	}
}

func (l *ledger) everBlocked(a, b string) bool {
	return l.blocked[[2]string{a, b}] || l.blocked[[2]string{b, a}]
}

// checkSayings: what was acknowledged stands, and stands once.
func (w *world) checkSayings() error {
	stand := map[string]feedengine.ID{}
	for shard := range w.shards {
		for _, ev := range w.db.Log(feedengine.ShardID(shard)) {
			text := ""
			switch f := ev.Fact.(type) {
			case *feedengine.Comment:
				text = f.Text
			case *feedengine.Message:
				text = f.Text
			default:
				continue
			}
			if first, twice := stand[text]; twice {
				return fmt.Errorf("%q stands twice: %d and %d", text, first, ev.ID)
			}
			stand[text] = ev.ID
		}
	}
	for _, s := range w.ledger.sayings {
		if s.id != 0 && !w.ledger.lost[s.id] && stand[s.text] != s.id {
			return fmt.Errorf("%q of %s was acknowledged as %d and stands as %d", s.text, s.user, s.id, stand[s.text])
		}
	}
	return nil
}

// checkToggles holds likes and hides against the store.
func (w *world) checkToggles() error {
	ctx := w.t.Context()
	for at, e := range w.ledger.toggles {
		if e.unsure || !e.known || e.under > 0 {
			continue
		}
		is := false
		switch at[0] {
		case "like":
			st, err := w.db.Standing(ctx, at[1], w.ledger.posts[at[2]].id, false)
			if err != nil {
				return err
			}
			if st.Post == nil { // gone, or hidden
				continue
			}
			is = st.Liked
		case "block", "mute":
			kind := feedengine.HideBlock
			if at[0] == "mute" {
				kind = feedengine.HideMute
			}
			is, _ = w.db.Hides(ctx, at[1], at[2], kind)
		}
		if is != e.follows {
			return fmt.Errorf("%v: %v, acknowledged was %v", at, is, e.follows)
		}
	}
	for at, upto := range w.ledger.talkMarks {
		for _, t := range w.db.Facts(at[0]).Chats {
			if t.Conversation.String() == at[1] && t.Mark < upto {
				return fmt.Errorf("%s has read conversation %s up to %d, acknowledged was %d", at[0], at[1], t.Mark, upto)
			}
		}
	}
	for user, upto := range w.ledger.noteMarks {
		if got := w.db.Mark(user, feedengine.ListNotifications); got < upto {
			return fmt.Errorf("%s has read notifications up to %d, acknowledged was %d", user, got, upto)
		}
	}
	return nil
}

// refetch is what an app does when somebody is hidden or shown again: it asks for
// all pages anew.
func (c *client) refetch() {
	f := c.w.db.Facts(c.user)
	c.base, c.got = f.Page, nil
	c.fetchSocial()
}

// fetchSocial asks for notifications and messages.
func (c *client) fetchSocial() {
	c.notes, c.talks = map[feedengine.ID]*feedengine.Note{}, map[feedengine.ID]*feedengine.Message{}
	for _, n := range c.w.db.Told(c.user) {
		c.notes[n.ID] = n
	}
	for _, m := range c.w.db.Shown(c.user) {
		c.talks[m.ID] = m
	}
}

// shows is what the client shows of notifications and messages: the pages that it
// began with, and what has come since.
func (c *client) shows() (notes map[feedengine.ID]*feedengine.Note, talks map[feedengine.ID]*feedengine.Message, err error) {
	notes, talks = map[feedengine.ID]*feedengine.Note{}, map[feedengine.ID]*feedengine.Message{}
	for id, n := range c.notes {
		notes[id] = n
	}
	for id, m := range c.talks {
		talks[id] = m
	}
	last := map[feedengine.ID]feedengine.ID{} // by conversation
	for _, g := range c.got {
		switch g.ev.Kind {
		case feedengine.KindNote:
			n := g.ev.Fact.(*feedengine.Note)
			notes[n.ID] = n
		case feedengine.KindNoteGone:
			delete(notes, g.ev.Target)
		case feedengine.KindPostDeleted:
			for id, n := range notes {
				if n.Post == g.ev.Target {
					delete(notes, id)
				}
			}
		case feedengine.KindMessage:
			m := g.ev.Fact.(*feedengine.Message)
			if m.ID <= last[m.Conversation] {
				return nil, nil, fmt.Errorf("%v: message %d came after %d of the same conversation", c, m.ID, last[m.Conversation])
			}
			last[m.Conversation] = m.ID
			talks[m.ID] = m
		}
	}
	return notes, talks, nil
}

// checkSocial holds notifications, messages and their counters against the facts.
func (c *client) checkSocial(f feedengine.LoadedUser) error {
	w := c.w
	forgotMark := w.ledger.forgot && w.ledger.noteMarks[c.user] > f.Notes.Mark
	if int(c.counts.Notifications) != f.Notes.Total && !forgotMark {
		return fmt.Errorf("%v: shows %d unread notifications (v=%d), the facts say %d above %d: %v; %s",
			c, c.counts.Notifications, c.counts.V, f.Notes.Total, f.Notes.Mark, f.Notes.Unread, c.since)
	}
	total := 0
	var chats []feedengine.ChatCount
	for _, t := range f.Chats {
		total += t.Total
		chats = append(chats, feedengine.ChatCount{Conversation: t.Conversation, Unread: uint32(t.Total)})
	}
	if int(c.counts.Messages) != total {
		return fmt.Errorf("%v: shows %d unread messages (v=%d), the facts say %d: %v; %s", c, c.counts.Messages, c.counts.V, total, f.Chats, c.since)
	}
	if told, ok := w.chats[c.user]; ok && !slices.Equal(told, chats) {
		return fmt.Errorf("%s was told of %v unread by conversation, the facts say %v", c.user, told, chats)
	}
	notes, talks, err := c.shows()
	if err != nil {
		return err
	}
	for _, u := range f.Notes.Unread {
		if notes[u.ID] == nil {
			return fmt.Errorf("%v: does not show notification %d; %s", c, u.ID, c.since)
		}
	}
	for _, n := range w.db.Told(c.user) {
		shown := notes[n.ID]
		if shown != nil && n.ID > f.Notes.Mark && (shown.Kind != n.Kind || shown.Post != n.Post || shown.Comment != n.Comment) {
			return fmt.Errorf("%v: shows notification %d as %+v, it is %+v", c, n.ID, shown, n)
		}
		delete(notes, n.ID)
	}
	for id, n := range notes {
		if gone, err := w.db.PostFor(w.t.Context(), "", n.Post); n.Post != 0 && gone == nil && err != nil && c.notes[id] != nil {
			// It stood on the page, and which of those that stand there are about a post
			// that is deleted, its view does not know.
			w.count("notifications of deleted posts on pages")
			continue
		}
		if id > f.Notes.Mark && !w.ledger.forgot {
			return fmt.Errorf("%v: shows notification %+v, which there is not; %s", c, n, c.since)
		}
	}
	for _, m := range w.db.Shown(c.user) {
		if talks[m.ID] == nil {
			return fmt.Errorf("%v: does not show message %d of conversation %d; %s", c, m.ID, m.Conversation, c.since)
		}
		delete(talks, m.ID)
	}
	for id, m := range talks {
		if !w.ledger.lost[id] {
			return fmt.Errorf("%v: shows message %+v, which there is not; %s", c, m, c.since)
		}
	}
	return nil
}
