package schedule

import (
	"time"

	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/scenario"
)

// Everybody is the actor of a task that a share of all clients does.
const Everybody = ^uint32(0)

// Task is one thing to do.
type Task struct {
	At    time.Duration // since the start
	Step  *scenario.Step
	Actor uint32 // the user, or Everybody: those of whom Picks is true
	Post  int    // the number of a post or a message, 0, 1, 2 …; -1: it is neither
	Dice  uint64 // for what else is chosen, the same in every process
}

// Picks reports whether a user is in the share that the task of everybody is for.
func (t *Task) Picks(user uint32) bool {
	return float64(graph.Mix(t.Dice^uint64(user))>>11)/(1<<53) < t.Step.Share
}

// Message reports whether the task is a message.
func (t *Task) Message() bool { return t.Step.Do == scenario.Message }

// Plan is a whole run's.
type Plan struct {
	seed  uint64
	conns int // users 0 … conns-1 are connected, and act
	talk  int // members of a conversation, 0: there is none
	lines []line
	posts int
}

// line is one step's occurrences.
type line struct {
	step  *scenario.Step
	salt  uint64
	n     int           // how many there are
	phase time.Duration // of the first, for those with a rate
	post  int           // number of its first post or message; -1: it has none
}

// New works a scenario out for so many clients.
func New(s *scenario.Scenario, seed uint64, conns int) *Plan {
	p := &Plan{seed: seed, conns: conns, talk: s.Talk}
	for i := range s.Steps {
		st := &s.Steps[i]
		l := line{step: st, salt: graph.Mix(seed + uint64(i)*0x1000193), post: -1}
		if st.Rate > 0 {
			l.n = int(s.Duration.D().Seconds() * st.Rate)
			// Lines of the same rate do not all strike at once.
			l.phase = time.Duration(float64(time.Second) / st.Rate * float64(i+1) / float64(len(s.Steps)+1))
		} else {
			for l.n < len(st.At) && st.At[l.n] < s.Duration {
				l.n++
			}
		}
		if st.Publishes() {
			l.post = p.posts
			p.posts += l.n
		}
		p.lines = append(p.lines, l)
	}
	return p
}

// Talk is the conversation of a user: its number, and its members from … to-1. ok is
// false for who has nobody to talk to.
func (p *Plan) Talk(user uint32) (number, from, to uint32, ok bool) {
	if p.talk == 0 {
		return 0, 0, 0, false
	}
	number = user / uint32(p.talk)
	from = number * uint32(p.talk)
	to = min(from+uint32(p.talk), uint32(p.conns))
	return number, from, to, to-from >= 2 && user < to
}

// Posts is how many posts and messages there will be.
func (p *Plan) Posts() int { return p.posts }

// Tasks is how many there will be, a share of all clients counting as one.
func (p *Plan) Tasks() (n int) {
	for i := range p.lines {
		n += p.lines[i].n
	}
	return n
}

func (l *line) at(k int) time.Duration {
	if l.step.Rate > 0 {
		return l.phase + time.Duration(float64(k)/l.step.Rate*float64(time.Second))
	}
	return l.step.At[k].D()
}

func (l *line) task(k, conns int) Task {
	dice := graph.Mix(l.salt + uint64(k))
	t := Task{At: l.at(k), Step: l.step, Post: -1, Dice: graph.Mix(dice)}
	switch {
	case l.post >= 0:
		t.Post = l.post + k
		t.Actor = uint32(dice % uint64(conns))
		if l.step.By == scenario.Celebrity {
			t.Actor = graph.Celebrity
		}
	case l.step.Share > 0:
		t.Actor = Everybody
	default:
		t.Actor = uint32(dice % uint64(conns))
	}
	return t
}

// Post is the task of a post or a message by its number; ok is false for a number that none has.
func (p *Plan) Post(number int) (t Task, ok bool) {
	for i := range p.lines {
		l := &p.lines[i]
		if l.post >= 0 && number >= l.post && number < l.post+l.n {
			return l.task(number-l.post, p.conns), true
		}
	}
	return Task{}, false
}

// Cursor goes through a plan's tasks.
type Cursor struct {
	plan *Plan
	next []int // of each line
}

// Cursor stands before the first task.
func (p *Plan) Cursor() *Cursor { return &Cursor{plan: p, next: make([]int, len(p.lines))} }

// Next is the next task, by time, and among those of the same time by the order of
// the steps.
func (c *Cursor) Next() (t Task, ok bool) {
	best := -1
	for i := range c.plan.lines {
		l := &c.plan.lines[i]
		if c.next[i] < l.n && (best < 0 || l.at(c.next[i]) < c.plan.lines[best].at(c.next[best])) {
			best = i
		}
	}
	if best < 0 {
		return Task{}, false
	}
	t = c.plan.lines[best].task(c.next[best], c.plan.conns)
	c.next[best]++
	return t, true
}
