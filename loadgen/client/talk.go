package client

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// talk is the ledger's line of the conversation that a user is in.
func (r *Run) talk(user uint32) (line uint32, ok bool) {
	number, _, _, ok := r.Plan.Talk(user)
	return ledger.Talk + number, ok
}

// Line is where what a task publishes stands in the ledger, and of a message who
// sent it.
func (r *Run) Line(t *schedule.Task) (author, from uint32) {
	if t.Message() {
		line, _ := r.talk(t.Actor)
		return line, t.Actor
	}
	return t.Actor, 0
}

// lines are whom the user hears from: those followed by the graph, and the conversation.
func (c *Client) lines() []uint32 {
	lines := c.run.Graph.AppendFollowing(make([]uint32, 0, 2*c.run.Graph.Following), c.user)
	if talk, ok := c.run.talk(c.user); ok {
		lines = append(lines, talk)
	}
	return lines
}

// others are the names of those whom a user talks to.
func (r *Run) others(user uint32) (names []string) {
	_, from, to, _ := r.Plan.Talk(user)
	for u := from; u < to; u++ {
		if u != user {
			names = append(names, r.Graph.Name(u))
		}
	}
	return names
}

// Message sends a message to those whom the user talks to. It is false while there
// is no session.
func (c *Client) Message(number int, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != attached {
		return false
	}
	c.send(&wire.Request{ID: int64(rePublish + number), Op: "message", To: c.run.others(c.user), Text: text, Key: Key(c.run.ID, number)})
	return true
}

// ReadTalk marks the messages that have come as read.
func (c *Client) ReadTalk() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	talk, ok := c.run.talk(c.user)
	if !ok || c.wants&(wantReadTalk|wantPages) != 0 || c.state != attached || c.book.Last(talk) == 0 {
		return false
	}
	c.work().talkUpto = c.book.Last(talk)
	c.ask(wantReadTalk)
	return true
}

// readTalk takes the mark that the conversation has now.
func (c *Client) readTalk(o *okay) {
	t, got := c.work(), c.id(o.Upto)
	if want := max(t.talkUpto, c.book.TalkMark); got != want {
		c.fault(ledger.WrongMark, fmt.Sprintf("read messages up to %d, the mark is at %d, and should be at %d", t.talkUpto, got, want))
	}
	c.book.TalkMark = max(c.book.TalkMark, got)
	c.done(wantReadTalk)
}

// receipt takes the news that somebody has got or read messages: of the own
// conversation.
func (c *Client) receipt(e *post) {
	talk, ok := c.run.talk(c.user)
	if upto, err := strconv.ParseInt(e.Upto, 10, 64); err != nil || upto <= 0 || !ok || e.Conversation != c.run.seen.conversation(talk) {
		c.fault(ledger.Unexpected, fmt.Sprintf("a receipt of %q up to %q", e.Conversation, e.Upto))
	}
}

// talkOf is what an answer to unread says of the user's conversation.
func (c *Client) talkOf(o *okay) uint32 {
	talk, ok := c.run.talk(c.user)
	if !ok {
		return 0
	}
	return o.Chats[c.run.seen.conversation(talk)]
}

// conversation is what the server calls one, "" while nobody knows.
func (s *seen) conversation(line uint32) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.talks[line]
}

// name notes what the server calls a conversation. s.mu is held.
func (s *seen) name(line uint32, conversation string) error {
	if s.talks == nil {
		s.talks = map[uint32]string{}
	}
	if known := s.talks[line]; known != "" && known != conversation {
		return fmt.Errorf("it came in conversation %q, and the others of the same people in %q", conversation, known)
	}
	s.talks[line] = conversation
	return nil
}

// conversation is one in a list of them.
type conversation struct {
	ID      string   `json:"id"`
	Members []string `json:"members"`
}

// meet finds the user's conversation in a list.
func (c *Client) meet(list []conversation) {
	talk, ok := c.run.talk(c.user)
	if !ok {
		return
	}
	all := append(c.run.others(c.user), c.run.Graph.Name(c.user))
	slices.Sort(all)
	for _, one := range list {
		slices.Sort(one.Members)
		if slices.Equal(one.Members, all) {
			c.run.seen.mu.Lock()
			err := c.run.seen.name(talk, one.ID)
			c.run.seen.mu.Unlock()
			if err != nil {
				c.fault(ledger.Corrupted, err.Error())
			}
		}
	}
}

// talkNext goes from the feed's pages on to the conversation's. It reports whether
// there is another page to ask for. listed: what came was the list of conversations.
func (c *Client) talkNext(t *task, listed bool) bool {
	talk, ok := c.run.talk(c.user)
	switch {
	case !ok:
		return false
	case !t.talking:
		t.talking, t.before = true, ""
		return true
	default: // a list has told what the conversation is called, or that there is none yet
		return listed && c.run.seen.conversation(talk) != ""
	}
}

// askTalk makes of a request for a page one of the user's conversation, or of the
// list of all when nobody knows what it is called.
func (c *Client) askTalk(r *wire.Request) {
	talk, _ := c.run.talk(c.user)
	r.Op, r.Conversation = "messages", c.run.seen.conversation(talk)
	if r.Conversation == "" {
		r.Op = "conversations"
	}
}
