package crowd

import (
	"fmt"
	"sync"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// mail is the posts and messages of this process's users: those whose outcome is not known yet,
// and those that the server has accepted. It grows with the posts.
type mail struct {
	crowd *Crowd

	mu       sync.Mutex
	out      map[int]*letter  // guarded by mu: by post number
	of       map[uint32][]int // guarded by mu: numbers in out, by author
	accepted []ledger.Post    // guarded by mu
	failed   int              // guarded by mu: refused for good
	acks     meter.Histogram  // guarded by mu: from when a post was due to its ok
	late     meter.Histogram  // guarded by mu: from when a post was due to when we were ready to send it
}

// letter is a post on its way.
type letter struct {
	task schedule.Task
	sent int64 // last, CLOCK_MONOTONIC
}

// resendAfter is when a post without an answer is sent again.
const resendAfter = 15 * time.Second

func newMail(c *Crowd) *mail {
	return &mail{crowd: c, out: map[int]*letter{}, of: map[uint32][]int{}}
}

// post sends a post that is due now. If its author is away it goes when they are back.
func (m *mail) post(t schedule.Task) {
	now := meter.Now()
	m.mu.Lock()
	m.out[t.Post] = &letter{task: t, sent: now}
	m.of[t.Actor] = append(m.of[t.Actor], t.Post)
	m.late.Add(time.Duration(now - m.crowd.run.Due(t.At)))
	m.mu.Unlock()
	m.crowd.send(&t)
}

// answered takes publish's answer. It is called with the client locked.
func (m *mail) answered(number int, id int64, err *wire.Error) {
	now := meter.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.out[number]
	if l == nil { // a second answer, to the same post sent again
		return
	}
	if err != nil && err.Retryable {
		m.crowd.later.after(max(err.Retry, 200*time.Millisecond), func() { m.again(number) })
		return
	}
	m.forget(number, l)
	if err != nil {
		m.failed++
		m.crowd.run.Fault(ledger.Refused, l.task.Actor, fmt.Sprintf("post %d: %v", number, err))
		return
	}
	author, from := m.crowd.run.Line(&l.task)
	m.accepted = append(m.accepted, ledger.Post{Number: number, Author: author, From: from, ID: id, Acked: now})
	m.acks.Add(time.Duration(now - m.crowd.run.Due(l.task.At)))
}

func (m *mail) forget(number int, l *letter) {
	delete(m.out, number)
	list := m.of[l.task.Actor]
	for i, n := range list {
		if n == number {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(m.of, l.task.Actor)
		return
	}
	m.of[l.task.Actor] = list
}

// again sends a post again, if its outcome is still open.
func (m *mail) again(number int) {
	m.mu.Lock()
	l := m.out[number]
	if l != nil {
		l.sent = meter.Now()
	}
	m.mu.Unlock()
	if l != nil {
		m.crowd.send(&l.task)
	}
}

// attached has all of an author's posts sent that are open, in their order. It is
// called with the client locked.
func (m *mail) attached(author uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, number := range m.of[author] {
		m.crowd.later.after(0, func() { m.again(number) })
	}
}

// overdue sends again what has had no answer for too long.
func (m *mail) overdue() {
	now := meter.Now()
	var late []int
	m.mu.Lock()
	for number, l := range m.out {
		if now-l.sent > int64(resendAfter) {
			late = append(late, number)
		}
	}
	m.mu.Unlock()
	for _, number := range late {
		m.again(number)
	}
}

// counts is how many posts are accepted, open and refused.
func (m *mail) counts() (accepted, open, failed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.accepted), len(m.out), m.failed
}

// latencies is what was measured since the last time.
func (m *mail) latencies() (acks, late meter.Histogram) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acks.Take(), m.late.Take()
}

// Outcome is what became of a process's posts.
type Outcome struct {
	Accepted []ledger.Post
	Open     []ledger.Post // of which nobody knows: no id yet
}

func (m *mail) outcome() (o Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o.Accepted = m.accepted
	for number, l := range m.out {
		author, from := m.crowd.run.Line(&l.task)
		o.Open = append(o.Open, ledger.Post{Number: number, Author: author, From: from})
	}
	return o
}
