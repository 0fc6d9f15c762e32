package gateway

import (
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// dialDeflate is dial and connect by a client that agrees to compression; it
// says whether the gateway does.
func (r *rig) dialDeflate(user string) (*client, bool) {
	r.t.Helper()
	ws, resp, err := websocket.Dial(r.t.Context(), r.srv.URL+"/v1/ws", &websocket.DialOptions{
		Subprotocols: []string{wire.JSONv1}, CompressionMode: websocket.CompressionNoContextTakeover,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ws.CloseNow() })
	c := &client{r.t, ws}
	c.send(`{"id":1,"op":"connect","token":"ok:` + user + `","feed":1}` + strings.Repeat(" ", 600)) // long enough that the client compresses
	if f := c.recv(); f.OK == nil {
		r.t.Fatalf("connect: %+v", f)
	}
	return c, resp.Header.Get("Sec-WebSocket-Extensions") != ""
}

// TestCompressAbove: what is larger goes compressed to those who agreed to it,
// what is not, and to all others, as it is; all read the same.
func TestCompressAbove(t *testing.T) {
	r := newRig(t, func(o *Options) { o.CompressAbove = 400 })
	var mu sync.Mutex
	var sessions []feedengine.SessionID
	r.shards.set(nil, func(q feedengine.Request) {
		if a, ok := q.Do.(feedengine.Attach); ok {
			mu.Lock()
			sessions = append(sessions, a.Session)
			mu.Unlock()
		}
	})
	plain := r.connect("ann")
	one, agreed := r.dialDeflate("bob")
	two, _ := r.dialDeflate("cem")
	if !agreed {
		t.Fatal("the gateway did not agree")
	}
	waitFor(t, "three sessions", func() bool { mu.Lock(); defer mu.Unlock(); return len(sessions) == 3 })
	deliver := func(seq, n uint64, text string) {
		e := postEvent(seq)
		post := *e.Post
		post.Text = text
		e.Post = &post
		var to []feedengine.Recipient
		for _, s := range sessions {
			to = append(to, feedengine.Recipient{Session: s, N: n, Counts: counted(n)})
		}
		r.g.Deliver(feedengine.Delivery{Event: e, To: to})
	}
	packed := func() string { return r.counter(`feedgate_socket_deflated_frames_total{way="sent"}`) }
	deliver(8, 8, "short")
	for _, c := range []*client{plain, one, two} {
		c.want(strings.Replace(eventFrame(8, 8, 8), `"hi"`, `"short"`, 1))
	}
	if packed() != "0" {
		t.Errorf("%s frames were compressed, and none is large", packed())
	}
	long := strings.Repeat("as I said, ", 100)
	deliver(9, 9, long)
	for _, c := range []*client{plain, one, two} {
		c.want(strings.Replace(eventFrame(9, 9, 9), `"hi"`, `"`+long+`"`, 1))
	}
	waitFor(t, "the frames of the two who agreed to be counted as compressed", func() bool { return packed() == "2" })
	for range 2 { // after the second the first is counted
		one.send(`{"id":2,"op":"ping"}`)
		one.want(`{"re":2,"ok":{}}`)
	}
	if packed() != "2" {
		t.Error("a short reply was compressed")
	}
	if got := r.counter(`feedgate_socket_deflated_frames_total{way="received"}`); got != "2" { // counted before they are answered
		t.Errorf("%s frames were received compressed, want two connects", got)
	}
}

// TestBodyIsCompressedOnce for all who get it.
func TestBodyIsCompressedOnce(t *testing.T) {
	b := &body{bytes: []byte(strings.Repeat("again and ", 50))}
	first := b.deflate()
	if again := b.deflate(); &first[0] != &again[0] {
		t.Error("it was compressed anew")
	}
	if len(first) > len(b.bytes)/2 {
		t.Errorf("%d bytes of %d", len(first), len(b.bytes))
	}
}

// TestLongReplyIsCompressed: a frame that is one client's own, as well.
func TestLongReplyIsCompressed(t *testing.T) {
	r := newRig(t, func(o *Options) { o.CompressAbove = 100 })
	c, _ := r.dialDeflate("bob")
	packed := func() bool { return r.counter(`feedgate_socket_deflated_frames_total{way="sent"}`) == "1" }
	waitFor(t, "the reply with its page to be counted as compressed", packed)
	c.send(`{"id":2,"op":"ping"}`)
	c.want(`{"re":2,"ok":{}}`)
	c.send(`{"id":3,"op":"ping"}`)
	c.want(`{"re":3,"ok":{}}`) // and the one before is counted
	if !packed() {
		t.Error("a short reply was compressed")
	}
}

// TestNoCompression unless it is allowed.
func TestNoCompression(t *testing.T) {
	if _, agreed := newRig(t).dialDeflate("bob"); agreed {
		t.Error("the gateway agreed")
	}
}
