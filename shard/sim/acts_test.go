package sim

import (
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// What clients do. Each takes and gives back world.mu, and asks without it.

// connect opens a socket at a node, with a resume if there is something to resume.
func (w *world) connect(c *client, n *node) {
	w.mu.Lock()
	if c.node != nil || n == nil {
		w.mu.Unlock()
		return
	}
	w.session++
	id := w.session
	do := feedengine.Attach{Session: id}
	if c.stream != 0 && !w.dice.chance(5) {
		do.Resume = &feedengine.Resume{Stream: c.stream, N: c.n}
	}
	if w.dice.chance(2) {
		do.Page = 100
	}
	c.node, c.session, c.attached = n, id, false
	n.sessions[id] = c
	w.mu.Unlock()
	w.note("%v: connects, resume %v, page %d", c.name, do.Resume, do.Page)
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case c.node != n || c.session != id: // it has left meanwhile
		case r.Err != nil:
			w.refused(c, do, r.Err)
			delete(n.sessions, id)
			c.cutOff()
		default:
			c.connected(do.Resume, r)
		}
	})
}

// leave closes the socket: the gateway detaches the session.
func (w *world) leave(c *client) {
	w.mu.Lock()
	n, id := c.node, c.session
	if n == nil {
		w.mu.Unlock()
		return
	}
	delete(n.sessions, id)
	c.cutOff()
	w.mu.Unlock()
	n.ask(c.user, feedengine.Detach{Session: id}, func(r feedengine.Result) {
		if r.Err != nil {
			w.failf("%s: detach: %v", c.name, r.Err)
		}
	})
}

// here is where the client's requests go: to its own node, or any.
func (c *client) here() *node {
	if c.node != nil && c.attached {
		return c.node
	}
	return nil
}

func (w *world) publish(c *client) {
	w.mu.Lock()
	n := c.here()
	if n == nil || len(w.ledger.posts) >= w.maxPosts {
		w.mu.Unlock()
		return
	}
	p := &posting{author: c.user, name: fmt.Sprintf("%s-%d", c.user, len(w.ledger.posts))}
	p.text = p.name
	if w.dice.chance(4) {
		p.text += " for @" + w.users[w.dice.intn(len(w.users))]
	}
	p.followers = w.dice.chance(6)
	if w.dice.chance(2) {
		p.key = "k" + p.name
	}
	w.ledger.posts[p.name] = p
	w.mu.Unlock()
	w.try(c, n, p)
}

// try asks for a post; one with a key that failed is tried again, by and by.
func (w *world) try(c *client, n *node, p *posting) {
	w.mu.Lock()
	p.under++
	w.mu.Unlock()
	do := feedengine.Publish{Text: p.text, Kind: "post", Key: p.key}
	if p.followers {
		do.More = &feedengine.More{Followers: true}
	}
	n.ask(p.author, do, func(r feedengine.Result) {
		p.under--
		switch {
		case r.Err != nil:
			w.refused(c, do, r.Err)
		case p.id != 0 && p.id != r.Post.ID && !w.ledger.lost[p.id]:
			w.failf("post %q is acknowledged as %d and as %d", p.text, p.id, r.Post.ID)
		default:
			w.count("posts acknowledged")
			p.id = r.Post.ID
		}
	})
}

// retry tries some post again that was not acknowledged, or even one that was.
func (w *world) retry(c *client) {
	w.mu.Lock()
	n := c.here()
	var p *posting
	for i := range len(w.ledger.posts) {
		q := w.ledger.posts[fmt.Sprintf("%s-%d", c.user, i)]
		if q != nil && q.key != "" && !w.ledger.forgot && (q.id == 0 || w.dice.chance(4)) {
			p = q
		}
	}
	w.mu.Unlock()
	if n != nil && p != nil {
		w.try(c, n, p)
	}
}

// remove deletes one of the user's posts.
func (w *world) remove(c *client) {
	w.mu.Lock()
	n := c.here()
	var id feedengine.ID
	for i := range len(w.ledger.posts) {
		if p := w.ledger.posts[fmt.Sprintf("%s-%d", c.user, i)]; p != nil && p.id != 0 && !w.ledger.lost[p.id] && w.dice.chance(3) {
			id = p.id
		}
	}
	if n == nil || id == 0 {
		w.mu.Unlock()
		return
	}
	w.ledger.deleted[id]++
	w.mu.Unlock()
	do := feedengine.Delete{Post: id}
	w.note("%s: %+v", c.name, do)
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case r.Err == nil:
			w.ledger.gone[id] = true
		case r.Err.Code == feedengine.NotFound:
			if w.ledger.deleted[id] == 1 && !w.ledger.forgot {
				w.failf("%s: post %d is not found, though nobody has deleted it: %v", c.name, id, w.fateOf(id))
			}
		default:
			w.refused(c, do, r.Err)
		}
	})
}

func (w *world) follow(c *client, follow bool) {
	w.mu.Lock()
	n := c.here()
	var users []string
	var edges []*edge
	for range 1 + w.dice.intn(3) {
		author := w.users[w.dice.intn(len(w.users))]
		e := w.ledger.edge(c.user, author)
		if author == c.user || e.under > 0 {
			continue
		}
		e.under++
		users, edges = append(users, author), append(edges, e)
	}
	w.mu.Unlock()
	if n == nil || len(users) == 0 {
		w.mu.Lock()
		for _, e := range edges {
			e.under--
		}
		w.mu.Unlock()
		return
	}
	var do feedengine.Action = feedengine.Unfollow{Users: users}
	if follow {
		do = feedengine.Follow{Users: users, Notify: !w.dice.chance(3)}
	}
	w.note("%s: %+v", c.name, do)
	n.ask(c.user, do, func(r feedengine.Result) {
		for _, e := range edges {
			e.under--
			if r.Err != nil {
				e.unsure = true
			} else {
				e.known, e.follows = true, follow
			}
		}
		switch {
		case r.Err == nil:
		case r.Err.Code == feedengine.Forbidden && w.ledger.blocks > 0:
			w.count("follows of blocked ones")
		default:
			w.refused(c, do, r.Err)
		}
	})
}

func (w *world) read(c *client) {
	w.mu.Lock()
	n := c.here()
	upto := feedengine.MaxID
	if len(c.got) > 0 && !w.dice.chance(4) {
		if ev := c.got[w.dice.intn(len(c.got))].ev; ev.Kind == feedengine.KindPost {
			upto = ev.ID
		}
	}
	w.mu.Unlock()
	if n == nil {
		return
	}
	do := feedengine.Read{Of: feedengine.ListFeed, Upto: upto}
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case r.Err != nil:
			w.refused(c, do, r.Err)
		case upto != feedengine.MaxID && r.Upto < upto:
			w.failf("%s: read up to %d, told %d", c.name, upto, r.Upto)
		default:
			w.ledger.marks[c.user] = max(w.ledger.marks[c.user], r.Upto)
		}
	})
}

func (w *world) unread(c *client) {
	w.mu.Lock()
	n := c.here()
	w.mu.Unlock()
	if n == nil {
		return
	}
	n.ask(c.user, feedengine.Unread{}, func(r feedengine.Result) {
		if r.Err != nil {
			w.refused(c, feedengine.Unread{}, r.Err)
		}
	})
}

// sync asks for the last few events again.
func (w *world) sync(c *client) {
	w.mu.Lock()
	n, id := c.here(), c.session
	if n == nil || c.background || c.switching {
		w.mu.Unlock()
		return
	}
	from, stream := c.n-min(c.n, uint64(w.dice.intn(4))), c.stream
	if c.n-from > uint64(len(c.got)) {
		from = c.n
	}
	w.mu.Unlock()
	do := feedengine.Sync{Session: id, N: from}
	n.ask(c.user, do, func(r feedengine.Result) {
		switch {
		case c.node != n || c.session != id:
		case r.Err != nil:
			w.refused(c, do, r.Err)
		case c.stream != stream:
			// The reset was on its way when this was asked. What comes now may have
			// come before, and is to be ignored.
			c.doubles = c.n
		case from <= c.n:
			c.rewind(from)
		}
	})
}

func (w *world) setState(c *client, background bool) {
	w.mu.Lock()
	n, id := c.here(), c.session
	if n == nil || c.switching || c.background == background {
		w.mu.Unlock()
		return
	}
	c.switching = true
	w.mu.Unlock()
	do := feedengine.SetState{Session: id, Background: background}
	w.note("%s: %+v", c.name, do)
	n.ask(c.user, do, func(r feedengine.Result) {
		w.note("%s: %+v answered, %v", c.name, do, r.Err)
		if c.node != n || c.session != id {
			return
		}
		if r.Err != nil {
			w.refused(c, do, r.Err)
			// What holds now is not known; the app opens another socket.
			delete(n.sessions, id)
			c.cutOff()
			w.graves.Go(func() { n.ask(c.user, feedengine.Detach{Session: id}, func(feedengine.Result) {}) })
			return
		}
		c.switching, c.background = false, background
	})
}

// refused takes note of a refusal, which has to be one of those that clients may
// try again.
func (w *world) refused(c *client, do feedengine.Action, err *feedengine.Error) {
	w.note("%s: %T refused: %v", c.name, do, err)
	w.count("refused: " + err.Error())
	if !err.Retryable() || err == feedengine.ErrElsewhere {
		w.failf("%s: %T: %v", c.name, do, err)
	}
}
