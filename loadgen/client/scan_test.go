package client

import (
	"encoding/json"
	"testing"

	"github.com/feedgate/feedgate/gateway/wire"
)

// FuzzScan holds the fast way to the slow one: what it reads, the JSON decoder reads
// the same, where the frame is JSON at all.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"n":1043,"unread":{"feed":4,"notifications":1,"messages":0,"v":881},"event":{"type":"post","id":"7"}}`,
		`{"n":5,"event":{"type":"void"}}`, `{"n":05,"event":{}}`, `{"n":1,"event":{}},"n":2}}`, `{"n":1,"event":{"a":1}`,
		`{"unread":{"feed":4,"notifications":1,"messages":0,"v":881}}`, `{"unread":{"feed":4294967296,"notifications":1,"messages":0,"v":881}}`,
		`{"n":99999999999999999999,"event":{}}`, `{"hb":7}`, `{"n":1,"event":{},"x":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if !json.Valid(p) {
			scanEvent(p)
			scanUnread(p)
			return
		}
		slow, err := wire.DecodeServer(p)
		if e, ok := scanEvent(p); ok {
			if err != nil {
				return // a field that is there twice, the second time as something else
			}
			if e.n != slow.N && e.n != 0 && len(slow.Event) == len(e.body) {
				t.Errorf("%s: n is %d, and %d", p, e.n, slow.N)
			}
			if len(slow.Event) == len(e.body) && string(slow.Event) != string(e.body) {
				t.Errorf("%s: %s, and %s", p, e.body, slow.Event)
			}
			if e.counted && slow.Unread != nil && len(slow.Event) == len(e.body) && *slow.Unread != e.counts {
				t.Errorf("%s: %+v, and %+v", p, e.counts, *slow.Unread)
			}
		}
		if c, ok := scanUnread(p); ok && (err != nil || slow.Unread == nil || *slow.Unread != c) {
			t.Errorf("%s: %+v, and %+v, %v", p, c, slow, err)
		}
	})
}

func TestScanTakesWhatTheServerWrites(t *testing.T) {
	c := wire.Counts{Feed: 3, Notifications: 2, Messages: 1, V: 99}
	body := wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventPost, Post: &wire.Post{ID: 7, Author: "a", Kind: "post", Text: `"}`}})
	for _, counted := range []bool{false, true} {
		frame := append(wire.JSON.AppendHead(nil, 12, c, counted, len(body)), body...)
		e, ok := scanEvent(frame)
		if !ok || e.n != 12 || e.counted != counted || counted && e.counts != c || string(e.body) != string(body[:len(body)-1]) {
			t.Errorf("%s is %+v, %v", frame, e, ok)
		}
	}
	frame := wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Unread, Counts: c})
	if got, ok := scanUnread(frame); !ok || got != c {
		t.Errorf("%s is %+v, %v", frame, got, ok)
	}
	for _, k := range []wire.Frame{{Kind: wire.Heartbeat, N: 3}, {Kind: wire.ResetFrame}, {Kind: wire.Reply, OK: wire.Empty{}}} {
		frame := wire.JSON.AppendFrame(nil, &k)
		if _, ok := scanEvent(frame); ok {
			t.Errorf("%s is taken for an event", frame)
		}
	}
}
