package liar

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/gateway/wire"
)

// conn is one socket.
type conn struct {
	ws   *websocket.Conn
	name string
	user *user       // nil before connect, and in the background
	out  chan []byte // 4096: whoever reads so little is closed
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	name := s.bearer(r)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.JSONv1}})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	if name == "" {
		ws.Close(websocket.StatusCode(wire.CloseBadToken), "bad token")
		return
	}
	c := &conn{ws: ws, name: name, out: make(chan []byte, 4096)}
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.write(ctx) })
	defer wg.Wait()
	defer cancel()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	for {
		_, p, err := ws.Read(ctx)
		if err != nil {
			return
		}
		var q wire.Request
		if wire.JSON.Decode(p, &q) != nil {
			ws.Close(websocket.StatusCode(wire.CloseProtocol), "protocol error")
			return
		}
		if q.Op != "" {
			s.mu.Lock()
			s.answer(c, &q)
			s.mu.Unlock()
		}
	}
}

func (c *conn) write(ctx context.Context) {
	for {
		select {
		case p := <-c.out:
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			err := c.ws.Write(ctx, websocket.MessageText, p)
			cancel()
			if err != nil {
				c.ws.CloseNow()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (c *conn) send(p []byte) {
	select {
	case c.out <- p:
	default:
		c.ws.CloseNow()
	}
}

// push sends a frame to all of a user's sockets. s.mu is held.
func (s *Server) push(u *user, p []byte) {
	for c := range s.conns {
		if c.user == u {
			c.send(p)
		}
	}
}

func (c *conn) ok(q *wire.Request, o wire.Object) {
	c.send(wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Reply, Re: q.ID, OK: o}))
}

func (c *conn) refuse(q *wire.Request, code string) {
	c.send(wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Failure, Re: q.ID, Err: &wire.Error{Code: code, Message: "no"}}))
}
