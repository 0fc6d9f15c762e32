package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

var farFuture = time.Now().Add(24 * time.Hour)

// TestThousandRequests: a thousand at once are answered one by one; what is
// above the burst is rate_limited, and the socket lives.
func TestThousandRequests(t *testing.T) {
	r := newRig(t)
	c := r.connect("bob")
	const total = 1000
	sent := make(chan struct{})
	go func() { // waited for below
		defer close(sent)
		for i := range total {
			c.send(fmt.Sprintf(`{"id":%d,"op":"unread"}`, i))
		}
	}()
	good, limited := 0, 0
	seen := make([]bool, total)
	for range total {
		f := c.recv()
		switch {
		case f.Re == nil || seen[*f.Re]:
			t.Fatalf("got %+v", f)
		case f.OK != nil:
			good++
		case f.Err.Code != "rate_limited" || !f.Err.Retryable || f.Err.Retry <= 0 || f.Err.Retry > 20*time.Millisecond:
			t.Fatalf("got %+v", f.Err)
		default:
			limited++
		}
		seen[*f.Re] = true
	}
	<-sent
	if good < 199 || limited == 0 {
		t.Errorf("%d were served and %d refused", good, limited)
	}
	waitFor(t, "the budget to be back", func() bool {
		c.send(`{"id":5000,"op":"ping"}`)
		return c.recv().OK != nil
	})
}

// TestFlood: who goes on and on is closed.
func TestFlood(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst = 0.001, 1 })
	c := r.connect("bob") // and the budget is spent
	done := make(chan struct{})
	go func() { // ends when the socket is closed, and is waited for below
		defer close(done)
		frame := []byte(`{"ack":1}`)
		for c.c.Write(context.Background(), 1, frame) == nil {
		}
	}()
	if bye := c.wantClose(wire.CloseRateLimited); bye.Retry == 0 {
		t.Errorf("bye %+v", bye)
	}
	c.c.CloseNow()
	<-done
}

// TestBudgetIsShared: by all of a user's sockets and HTTP requests, and nobody
// else.
func TestBudgetIsShared(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst = 0.001, 4 })
	one, two := r.connect("bob"), r.connect("bob") // 2 of 4
	one.send(`{"id":1,"op":"ping"}`)
	one.want(`{"re":1,"ok":{}}`)
	if status, _, body := r.call("GET", "/v1/unread", "", "Authorization", "Bearer ok:bob"); status != 200 {
		t.Fatal(status, body)
	}
	two.send(`{"id":1,"op":"ping"}`)
	if f := two.recv(); f.Err == nil || f.Err.Code != "rate_limited" {
		t.Fatalf("%+v", f)
	}
	status, header, body := r.call("GET", "/v1/unread", "", "Authorization", "Bearer ok:bob")
	if status != 429 || header.Get("Retry-After") == "" || !strings.HasPrefix(body, `{"error":{"code":"rate_limited"`) {
		t.Fatal(status, header, body)
	}
	for _, other := range [][]string{
		{"Authorization", "Bearer ok:ann"},
		{"Authorization", "Bearer service:backend", "Feedgate-User", "bob"},
	} {
		if status, _, body := r.call("GET", "/v1/unread", "", other...); status != 200 {
			t.Fatal(other, status, body)
		}
	}
	three := r.dial()
	three.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
	if f := three.recv(); f.Err == nil || f.Err.Code != "rate_limited" {
		t.Fatalf("%+v", f)
	}
	three.wantClose(wire.CloseRateLimited)
	four := r.dial()
	four.send(`{"id":1,"op":"connect","token":"service:bob"}`)
	if f := four.recv(); f.OK == nil {
		t.Fatalf("%+v", f)
	}
}

// TestSocketsPerUser: the newest is refused, and there is room again when one
// leaves.
func TestSocketsPerUser(t *testing.T) {
	r := newRig(t)
	var all []*client
	for range 32 {
		all = append(all, r.connect("bob"))
	}
	refused := r.dial()
	refused.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
	if f := refused.recv(); f.Err == nil || f.Err.Code != "rate_limited" || f.Err.Retry == 0 {
		t.Fatalf("%+v", f)
	}
	refused.wantClose(wire.CloseRateLimited)
	r.connect("ann")
	all[5].c.CloseNow()
	waitFor(t, "the place", func() bool { return len(r.g.users.sessions("bob")) == 31 })
	all[5] = r.connect("bob")
	for _, c := range all {
		c.send(`{"id":2,"op":"ping"}`)
		c.want(`{"re":2,"ok":{}}`)
	}
	service := r.dial()
	service.send(`{"id":1,"op":"connect","token":"service:bob"}`)
	if f := service.recv(); f.OK == nil {
		t.Fatalf("%+v", f)
	}
}

// TestReadsAreBounded: what storage cannot take is refused at once.
func TestReadsAreBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Reads, o.Limits.ReadsWaiting = 2, 3 })
	gate := make(chan struct{})
	r.reads.mu.Lock()
	r.reads.gate = gate
	r.reads.mu.Unlock()
	c := r.connect("bob")
	const total = 20
	for i := range total {
		c.send(fmt.Sprintf(`{"id":%d,"op":"feed"}`, i))
	}
	for range total - 5 { // a worker may take one up while others are refused
		f := c.recv()
		if f.Err == nil || f.Err.Code != "overloaded" || !f.Err.Retryable {
			t.Fatalf("%+v", f)
		}
	}
	c.send(`{"id":99,"op":"ping"}`)
	c.want(`{"re":99,"ok":{}}`)
	close(gate)
	for range 5 {
		if f := c.recv(); f.OK == nil {
			t.Fatalf("%+v", f.Err)
		}
	}
}

// TestPendingIsBounded: a shard that does not answer holds up to maxPending
// requests of a socket, and refuses none of its own.
func TestPendingIsBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Burst = 1000 })
	c := r.connect("bob")
	gate := make(chan struct{})
	r.shards.set(nil, func(feedengine.Request) { <-gate })
	c.send(`{"id":999,"op":"unread"}`)
	if f := c.recv(); f.OK == nil { // the first is answered, and then the shard stands still
		t.Fatalf("%+v", f.Err)
	}
	for i := range maxPending + 10 {
		c.send(fmt.Sprintf(`{"id":%d,"op":"unread"}`, i))
	}
	for i := range 10 {
		if f := c.recv(); *f.Re != int64(maxPending+i) || f.Err == nil || f.Err.Code != "overloaded" {
			t.Fatalf("%d: %+v", *f.Re, f.Err)
		}
	}
	close(gate)
	for i := range maxPending {
		if f := c.recv(); *f.Re != int64(i) || f.OK == nil {
			t.Fatalf("%d: %+v", *f.Re, f.Err)
		}
	}
}

func TestStoreErrors(t *testing.T) {
	r := newRig(t)
	c := r.connect("bob")
	for err, want := range map[error]string{
		fmt.Errorf("pool: %w", feedengine.ErrUnavailable): "unavailable",
		fmt.Errorf("row: %w", feedengine.ErrNotFound):     "not_found",
		context.DeadlineExceeded:                          "unavailable",
		errors.New("syntax error at SELECT password"):     "internal",
	} {
		r.reads.mu.Lock()
		r.reads.err = err
		r.reads.mu.Unlock()
		c.send(`{"id":3,"op":"feed"}`)
		f := c.recv()
		if f.Err == nil || f.Err.Code != want || strings.Contains(f.Err.Message, "password") {
			t.Errorf("%v: %+v", err, f.Err)
		}
		if f.Err.Retryable != (want != "not_found") {
			t.Errorf("%v: retryable is %v", err, f.Err.Retryable)
		}
	}
}

// TestStrikes: so many refusals at once, and so many per second, are forgiven.
func TestStrikes(t *testing.T) {
	now := time.Now()
	var k strikes
	for i := range strikeLimit {
		if k.more(now) {
			t.Fatalf("the %dth was one too many", i+1)
		}
	}
	if !k.more(now) {
		t.Error("nothing is too many")
	}
	k = strikes{}
	for i := range 5 * strikeLimit { // at the rate that is forgiven
		now = now.Add(time.Second / strikeRate)
		if k.more(now) {
			t.Fatalf("the %dth was one too many", i+1)
		}
	}
}
