package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// line is a socket that writes down what a client does with it.
type line struct {
	sent   []string
	drops  int
	paused bool
}

func (l *line) Send(p []byte) error { l.sent = append(l.sent, string(p)); return nil }
func (l *line) Drop()               { l.drops++ }
func (l *line) Pause()              { l.paused = true }
func (l *line) Resume()             { l.paused = false }

// host writes down what a client tells.
type host struct {
	published map[int]int64
	refused   map[int]string
	attached  int
	lost      []time.Duration
}

func (h *host) Published(number int, id int64, err *wire.Error) {
	if err != nil {
		h.refused[number] = err.Code
		return
	}
	h.published[number] = id
}
func (h *host) Attached(uint32)                     { h.attached++ }
func (h *host) Lost(_ *Client, after time.Duration) { h.lost = append(h.lost, after) }

// rig is a client of user 3 and the server's side of its socket.
type rig struct {
	t *testing.T
	*Client
	host *host
	line *line
	took int // how much of line.sent was looked at
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s, err := scenario.Parse([]byte(`{"name":"x","duration":"10s","steps":[{"do":"post","rate":100,"size":64}]}`))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{published: map[int]int64{}, refused: map[int]string{}}
	r := &Run{ID: 7, Graph: graph.Graph{Seed: 1, Users: 12, Following: 4}, Plan: schedule.New(s, 1, 12), Host: h, Began: time.Now()}
	r.Start(meter.Now())
	x := &rig{t: t, Client: New(r, 3), host: h}
	x.dial()
	return x
}

func (x *rig) dial() {
	x.t.Helper()
	if _, ok := x.Dialing(); !ok {
		x.t.Fatal("it does not want to connect")
	}
	x.line, x.took = &line{}, 0
	x.open(x.line)
}

// sent is what the client has sent since the last time.
func (x *rig) sent() string {
	s := strings.Join(x.line.sent[x.took:], " ")
	x.took = len(x.line.sent)
	return s
}

// expect holds that the client has sent exactly this.
func (x *rig) expect(want string) {
	x.t.Helper()
	if got := x.sent(); got != want {
		x.t.Errorf("it sent %s, want %s", got, want)
	}
}

// get gives the client frames.
func (x *rig) get(frames ...string) {
	for _, f := range frames {
		x.take([]byte(f))
	}
}

func (x *rig) connected(stream string, n uint64, resumed bool, replay int) {
	x.t.Helper()
	x.get(fmt.Sprintf(`{"re":1,"ok":{"user":%q,"stream":%q,"n":%d,"resumed":%v,"replay":%d,"unread":{"feed":0,"notifications":0,"messages":0,"v":1},"heartbeat_ms":25000}}`,
		x.run.Graph.Name(3), stream, n, resumed, replay))
}

// by is the k'th post of the plan by an author.
func (x *rig) by(author uint32, k int) int {
	for number := range x.run.Plan.Posts() {
		if t, _ := x.run.Plan.Post(number); t.Actor == author {
			if k--; k < 0 {
				return number
			}
		}
	}
	x.t.Fatal("so many posts there are not")
	return 0
}

// post is a post as an event or a page has it. Its id is its number and some.
func (x *rig) post(number int, typed bool) string {
	t, _ := x.run.Plan.Post(number)
	head := ""
	if typed {
		head = `"type":"post",`
	}
	return fmt.Sprintf(`{%s"id":"%d","author":%q,"kind":"post","text":%q,"at":%q,"likes":0,"comments":0}`, head, 1000+number,
		x.run.Graph.Name(t.Actor), x.run.Text(&t), time.Now().UTC().Format(time.RFC3339Nano))
}

func (x *rig) event(n uint64, number int) string {
	return fmt.Sprintf(`{"n":%d,"unread":{"feed":%d,"notifications":0,"messages":0,"v":%d},"event":%s}`, n, n, n+1, x.post(number, true))
}

func (x *rig) page(turn int, next string, numbers ...int) string {
	posts := []json.RawMessage{}
	for _, n := range numbers {
		posts = append(posts, json.RawMessage(x.post(n, false)))
	}
	b, _ := json.Marshal(map[string]any{"posts": posts, "next": next})
	return fmt.Sprintf(`{"re":%d,"ok":%s}`, rePages+turn, b)
}

// faults are the kinds found since the beginning.
func (x *rig) faults() string {
	var kinds []string
	f := x.run.Faults()
	for _, s := range f.Samples {
		kinds = append(kinds, string(s.Kind))
	}
	return strings.Join(kinds, " ")
}

func (x *rig) right(what string) {
	x.t.Helper()
	if got := x.faults(); got != "" {
		f := x.run.Faults()
		x.t.Errorf("%s: %v", what, f.Samples)
	}
}

func (x *rig) drop(end lean.End) { x.closed(end) }
