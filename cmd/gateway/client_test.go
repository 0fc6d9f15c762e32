package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// frame is any frame that a server sends.
type frame struct {
	Re     int             `json:"re"`
	OK     json.RawMessage `json:"ok"`
	Error  *frameError     `json:"error"`
	N      uint64          `json:"n"`
	Unread *unread         `json:"unread"`
	Event  *event          `json:"event"`
	HB     *uint64         `json:"hb"`

	Presence *shownPresence `json:"presence"`
	Typing   *shownTyping   `json:"typing"`

	Reset *struct {
		Stream string `json:"stream"`
		N      uint64 `json:"n"`
		Reason string `json:"reason"`
	} `json:"reset"`
	Bye *struct {
		Code     int    `json:"code"`
		Reason   string `json:"reason"`
		RetryMS  int    `json:"retry_ms"`
		SpreadMS int    `json:"spread_ms"`
	} `json:"bye"`
}

type frameError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
	RetryMS   int    `json:"retry_ms"`
}

func (e *frameError) Error() string { return e.Code + ": " + e.Message }

type unread struct {
	Feed          int    `json:"feed"`
	Notifications int    `json:"notifications"`
	Messages      int    `json:"messages"`
	V             uint64 `json:"v"`
}

type event struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Author string `json:"author"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	At     string `json:"at"`
	Post   string `json:"post"`
	Of     string `json:"of"`
	Upto   string `json:"upto"`

	From         string   `json:"from"`
	Conversation string   `json:"conversation"`
	Actor        string   `json:"actor"`
	Actors       []string `json:"actors"`
	Notification string   `json:"notification"`
	User         string   `json:"user"`
}

// okay is the fields of all requests' results.
type okay struct {
	User    string  `json:"user"`
	Stream  string  `json:"stream"`
	N       uint64  `json:"n"`
	Resumed bool    `json:"resumed"`
	Replay  int     `json:"replay"`
	Unread  *unread `json:"unread"`
	Feed    *struct {
		Posts []event `json:"posts"`
		Next  string  `json:"next"`
	} `json:"feed"`
	Posts []event `json:"posts"`
	Post  *event  `json:"post"`
	Since string  `json:"since"`
	Upto  string  `json:"upto"`
	Next  string  `json:"next"`

	Notifications []event         `json:"notifications"`
	Messages      []event         `json:"messages"`
	Conversations json.RawMessage `json:"conversations"` // a page, or counts by conversation
	Comment       *event          `json:"comment"`

	Presence []shownPresence `json:"presence"`
	Message  *struct {
		ID           string `json:"id"`
		Conversation string `json:"conversation"`
	} `json:"message"`
}

// client is one device, with a connected socket.
type client struct {
	t      testing.TB
	ws     *websocket.Conn
	hello  okay // connect's answer
	lastID int
	queued []frame // read while waiting for something else
}

// dial opens a socket without a connect.
func dial(t testing.TB, n *node) *client {
	t.Helper()
	c, err := tryDial(t, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tryDial is dial that may fail, with further fields of the upgrade.
func tryDial(t testing.TB, n *node, header http.Header) (*client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+n.addr+"/v1/ws", &websocket.DialOptions{
		Subprotocols: []string{"feedgate.v1.json"}, HTTPHeader: header,
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(1 << 20)
	t.Cleanup(func() { ws.CloseNow() })
	c := &client{t: t, ws: ws}
	n.mu.Lock()
	n.devices = append(n.devices, c)
	n.mu.Unlock()
	return c, nil
}

// connect opens a user's device. With is further fields of the connect frame.
func connect(t testing.TB, n *node, user string, with map[string]any) *client {
	t.Helper()
	c := dial(t, n)
	fields := map[string]any{"token": token(t, user, false)}
	for k, v := range with {
		fields[k] = v
	}
	c.hello = c.must("connect", fields)
	if c.hello.User != user {
		t.Fatalf("connected as %q", c.hello.User)
	}
	return c
}

// write sends a request and returns its number.
func (c *client) write(op string, fields map[string]any) (int, error) {
	c.lastID++
	req := map[string]any{"id": c.lastID, "op": op}
	for k, v := range fields {
		req[k] = v
	}
	b, err := json.Marshal(req)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.lastID, c.ws.Write(ctx, websocket.MessageText, b)
}

// send is write that has to succeed.
func (c *client) send(op string, fields map[string]any) int {
	c.t.Helper()
	id, err := c.write(op, fields)
	if err != nil {
		c.t.Fatalf("send %s: %v", op, err)
	}
	return id
}

// okay is the result in an answer.
func (f frame) okay(t testing.TB) (ok okay) {
	t.Helper()
	if err := json.Unmarshal(f.OK, &ok); err != nil {
		t.Errorf("%s: %v", f.OK, err)
	}
	return ok
}

// read is the next frame from the socket. Heartbeats are answered, and skipped.
func (c *client) read() (frame, error) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, b, err := c.ws.Read(ctx)
		cancel()
		if err != nil {
			return frame{}, err
		}
		var f frame
		if err := json.Unmarshal(b, &f); err != nil {
			return frame{}, fmt.Errorf("%s: %w", b, err)
		}
		if f.HB == nil {
			return f, nil
		}
		if err := c.ws.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"ack":%d}`, *f.HB)); err != nil {
			return frame{}, err
		}
	}
}

// do sends a request and waits for its answer; other frames are kept for next.
func (c *client) do(op string, fields map[string]any) (okay, *frameError) {
	c.t.Helper()
	ok, err := c.try(op, fields)
	refused := refusal(err)
	if err != nil && refused == nil {
		c.t.Fatalf("%s: %v", op, err)
	}
	return ok, refused
}

// try is do for requests that may lose their connection.
func (c *client) try(op string, fields map[string]any) (okay, error) {
	id, err := c.write(op, fields)
	if err != nil {
		return okay{}, err
	}
	for {
		f, err := c.read()
		if err != nil {
			return okay{}, err
		}
		if f.Re != id {
			c.queued = append(c.queued, f)
			continue
		}
		if f.Error != nil {
			return okay{}, f.Error
		}
		return f.okay(c.t), nil
	}
}

// must is do for requests that have to succeed.
func (c *client) must(op string, fields map[string]any) okay {
	c.t.Helper()
	ok, refused := c.do(op, fields)
	if refused != nil {
		c.t.Fatalf("%s: %v", op, refused)
	}
	return ok
}

// next is the next frame that is no answer.
func (c *client) next() frame {
	c.t.Helper()
	if len(c.queued) > 0 {
		f := c.queued[0]
		c.queued = c.queued[1:]
		return f
	}
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("waiting for a frame: %v", err)
	}
	return f
}

// event is the next event; bare counters on the way are skipped.
func (c *client) event() frame {
	c.t.Helper()
	for {
		f := c.next()
		if f.Event != nil || f.Reset != nil || f.Bye != nil {
			return f
		}
	}
}

// closed reads to the end and returns the bye and the close code.
func (c *client) closed() (bye frame, code websocket.StatusCode) {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			return bye, websocket.CloseStatus(err)
		}
		if f.Bye != nil {
			bye = f
		}
	}
}

// drop ends the connection as a lost network does.
func (c *client) drop() { c.ws.CloseNow() }

// resume is the connect field for what the device knew last.
func (c *client) resume(n uint64) map[string]any {
	return map[string]any{"resume": map[string]any{"stream": c.hello.Stream, "n": n}}
}

// publish posts and returns the post's id.
func (c *client) publish(text string) string {
	c.t.Helper()
	return c.must("publish", map[string]any{"text": text}).Post.ID
}

// follow follows and returns since.
func (c *client) follow(user string) string {
	c.t.Helper()
	return c.must("follow", map[string]any{"user": user}).Since
}

// refusal is the protocol error in err, nil when there is none.
func refusal(err error) *frameError {
	var refused *frameError
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}
