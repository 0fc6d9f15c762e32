package main

import (
	"testing"

	"github.com/coder/websocket"
)

// TestHandshakesBeyondRate: a second's worth is let in at once, the others are
// told when to come, those who are in are served, and there is room again soon.
func TestHandshakesBeyondRate(t *testing.T) {
	t.Parallel()
	const rate = 5
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_HANDSHAKE_RATE": "5"}))
	opts := &websocket.DialOptions{Subprotocols: []string{"feedgate.v1.json"}}
	var in []*websocket.Conn
	eventually(t, "a refusal", func() bool {
		ws, resp, err := websocket.Dial(t.Context(), "ws://"+n.addr+"/v1/ws", opts)
		if err == nil {
			t.Cleanup(func() { ws.CloseNow() })
			in = append(in, ws)
			return false
		}
		if resp == nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("%v: %v", err, resp)
		}
		return true
	})
	if len(in) < rate {
		t.Errorf("%d were let in, want %d at least", len(in), rate)
	}
	if got := n.metric("feedgate_admission_refused_total"); got != 1 {
		t.Errorf("%v refusals were counted", got)
	}
	ann := &client{t: t, ws: in[0]}
	ann.must("connect", map[string]any{"token": token(t, "ann", false)})
	eventually(t, "room", func() bool {
		ws, _, err := websocket.Dial(t.Context(), "ws://"+n.addr+"/v1/ws", opts)
		if err == nil {
			ws.CloseNow()
		}
		return err == nil
	})
}

// TestCompression is agreed to where it is allowed.
func TestCompression(t *testing.T) {
	t.Parallel()
	for above, want := range map[string]bool{"0": false, "1KiB": true} {
		n := start(t, sqliteEnv(t).with(env{"FEEDGATE_COMPRESS_ABOVE": above}))
		ws, resp, err := websocket.Dial(t.Context(), "ws://"+n.addr+"/v1/ws", &websocket.DialOptions{
			Subprotocols: []string{"feedgate.v1.json"}, CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			t.Fatal(err)
		}
		if agreed := resp.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != want {
			t.Errorf("above %s: agreed is %v", above, agreed)
		}
		ws.CloseNow()
	}
}
