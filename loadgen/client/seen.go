package client

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/feedgate/feedgate/loadgen/schedule"
)

// seen is every post that came to any client of the process. A body is looked at
// closely once; its other recipients' are compared by their hash.
type seen struct {
	mu     sync.RWMutex
	bodies map[uint64]*sighting // guarded by mu: by the hash of the event's bytes
	ids    map[int]int64        // guarded by mu: by post number
	talks  map[uint32]string    // guarded by mu: what the server calls conversations, by their line
}

// sighting is a post that is as it was published, but for its id, which is compared
// with publish's answer in the end.
type sighting struct {
	number int
	author uint32 // of a message: the conversation's line
	from   uint32 // of a message: its sender
	id     int64
	due    time.Duration // of the plan
	at     int64         // the server's time, Unix milliseconds
}

// post is a post in an event or on a page.
type post struct {
	Type   string    `json:"type"`
	ID     string    `json:"id"`
	Author string    `json:"author"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
	Post   string    `json:"post"` // post_deleted
	Of     string    `json:"of"`   // read
	Upto   string    `json:"upto"` // read, receipt

	Conversation string `json:"conversation"` // message, receipt, read
	From         string `json:"from"`         // message
}

// find is the sighting of a body that has come before.
func (s *seen) find(hash uint64) *sighting {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bodies[hash]
}

func hashOf(body []byte) uint64 { return xxhash.Sum64(body) }

// sight looks closely at a post. ours is false for posts that are not of this run.
func (r *Run) sight(p *post) (s *sighting, ours bool, err error) {
	run, number, ok := schedule.Number(p.Text)
	if !ok || run != r.ID {
		return nil, false, nil
	}
	task, ok := r.Plan.Post(number)
	if !ok {
		return nil, true, fmt.Errorf("it says that it is post %d, which there is not", number)
	}
	s = &sighting{number: number, from: task.Actor, due: task.At, at: p.At.UnixMilli()}
	s.author, _ = r.Line(&task)
	by := p.Author
	if task.Message() {
		by = p.From
	}
	if author := r.Graph.Name(task.Actor); by != author {
		return nil, true, fmt.Errorf("post %d is by %s, it came as %q's", number, author, by)
	}
	if p.Text != schedule.Text(r.ID, number, task.Step.Size) {
		return nil, true, fmt.Errorf("post %d does not say what it should", number)
	}
	if p.Kind != "post" && !task.Message() || p.At.IsZero() {
		return nil, true, fmt.Errorf("post %d is of kind %q, at %v", number, p.Kind, p.At)
	}
	if s.id, err = strconv.ParseInt(p.ID, 10, 64); err != nil || s.id <= 0 {
		return nil, true, fmt.Errorf("post %d has the id %q", number, p.ID)
	}
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	if r.seen.ids == nil {
		r.seen.ids, r.seen.bodies = map[int]int64{}, map[uint64]*sighting{}
	}
	if task.Message() {
		if err := r.seen.name(s.author, p.Conversation); err != nil {
			return nil, true, fmt.Errorf("message %d: %w", number, err)
		}
	}
	if id, there := r.seen.ids[number]; there && id != s.id {
		return nil, true, fmt.Errorf("post %d came with the id %d, and with %d", number, id, s.id)
	}
	r.seen.ids[number] = s.id
	return s, true, nil
}

// remember keeps a sighting for the body's other recipients.
func (s *seen) remember(hash uint64, x *sighting) {
	s.mu.Lock()
	s.bodies[hash] = x
	s.mu.Unlock()
}

// Seen is the id with which a post came, if it came to anybody.
func (r *Run) Seen(number int) (id int64, ok bool) {
	r.seen.mu.RLock()
	defer r.seen.mu.RUnlock()
	id, ok = r.seen.ids[number]
	return id, ok
}

// EachSeen calls f for every post that came to anybody, with the id it had.
func (r *Run) EachSeen(f func(number int, id int64)) {
	r.seen.mu.RLock()
	defer r.seen.mu.RUnlock()
	for number, id := range r.seen.ids {
		f(number, id)
	}
}
