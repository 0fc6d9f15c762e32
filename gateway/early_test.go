package gateway

import (
	"fmt"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// Everything may be sent in one go behind connect: its reply comes first, and
// nothing is refused for having come early.
func TestRequestsBehindConnect(t *testing.T) {
	r := newRig(t)
	attaching, answer := make(chan struct{}), make(chan struct{})
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		if _, ok := q.Do.(feedengine.Attach); ok {
			close(attaching)
			<-answer
		}
		return plain(q)
	}, nil)
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:alice"}`)
	<-attaching
	early := []string{`"op":"state","state":"background"`, `"op":"sync","n":7`, `"op":"ping"`, `"op":"connect","token":"ok:alice"`, `"op":"nonsense"`}
	for i, fields := range early {
		c.send(fmt.Sprintf(`{"id":%d,%s}`, i+2, fields))
	}
	waitFor(t, "the early requests", func() bool {
		n := 0
		for s := range r.g.sessions.all() {
			s.mu.Lock()
			n += len(s.early)
			s.mu.Unlock()
		}
		return n == len(early)
	})
	close(answer)
	var got []int64
	for range 1 + len(early) {
		f := c.recv()
		got = append(got, *f.Re)
		if refused := *f.Re == 5 || *f.Re == 6; (f.Err != nil) != refused {
			t.Errorf("re %d: error %+v", *f.Re, f.Err)
		}
	}
	if got[0] != 1 {
		t.Errorf("replies came in the order %v, connect's is not the first", got)
	}
	if !find[feedengine.SetState](t, r.shards).Background {
		t.Error("the state did not reach the shard")
	}
	c.send(`{"id":9,"op":"ping"}`)
	if f := c.recv(); *f.Re != 9 || f.Err != nil {
		t.Errorf("afterwards: %+v", f)
	}
}

// What waits is bounded.
func TestTooManyRequestsBehindConnect(t *testing.T) {
	r := newRig(t)
	answer := make(chan struct{})
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		if _, ok := q.Do.(feedengine.Attach); ok {
			<-answer
		}
		return plain(q)
	}, nil)
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:alice"}`)
	for i := range maxPending + 1 {
		c.send(fmt.Sprintf(`{"id":%d,"op":"ping"}`, i+2))
	}
	if f := c.recv(); *f.Re != maxPending+2 || f.Err == nil || f.Err.Code != string(feedengine.Overloaded) {
		t.Errorf("the one too many: %+v", f)
	}
	close(answer)
	if f := c.recv(); *f.Re != 1 || f.Err != nil {
		t.Errorf("connect: %+v", f)
	}
}
