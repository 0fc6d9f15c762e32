package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// fault is what a proxy does to the next pipeline that executes something.
type fault int32

const (
	noFault    fault = iota
	loseReply        // pass it all, and cut both ends when the server has answered
	loseCommit       // cut both ends before its Sync
	holdCommit       // keep its Sync back until letGo, the server's end open
)

// proxy stands between a store and Postgres and understands just enough of the
// protocol to break a connection at a chosen message. It needs sslmode=disable.
type proxy struct {
	URL      string
	next     atomic.Int32  // the armed fault
	held     chan struct{} // closed when a Sync is being kept back
	release  chan struct{} // closed by letGo
	once     sync.Once
	listener net.Listener
	server   string
	mu       sync.Mutex
	conns    []net.Conn
	wg       sync.WaitGroup
}

func newProxy(t testing.TB, serverURL string) *proxy {
	t.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: u.Host, held: make(chan struct{}), release: make(chan struct{})}
	u.Host = l.Addr().String()
	p.URL = u.String()
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.letGo()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) arm(f fault) { p.next.Store(int32(f)) }

// letGo sends a Sync that was kept back.
func (p *proxy) letGo() { p.once.Do(func() { close(p.release) }) }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		cut := &atomic.Bool{} // once the server has answered
		p.wg.Go(func() { p.requests(client, server, cut) })
		p.wg.Go(func() { p.replies(client, server, cut) })
	}
}

// requests passes messages from the client to the server.
func (p *proxy) requests(client, server net.Conn, cut *atomic.Bool) {
	hold := false
	defer func() {
		if !hold {
			server.Close()
		}
		client.Close()
	}()
	startup, executed := true, false
	for {
		kind, message, err := readMessage(client, startup)
		if err != nil {
			return
		}
		startup = false
		if kind == 'E' {
			executed = true
		}
		if kind == 'S' && executed {
			executed = false
			switch fault(p.next.Swap(int32(noFault))) {
			case loseReply:
				cut.Store(true)
			case loseCommit:
				return
			case holdCommit:
				hold = true
				p.wg.Go(func() { p.keepBack(server, message) })
				<-p.release // the client hears nothing until then
				return
			}
		}
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

// keepBack sends the Sync to the server when the test says so, or never.
func (p *proxy) keepBack(server net.Conn, sync []byte) {
	close(p.held)
	defer server.Close()
	<-p.release
	server.Write(sync)
	io.Copy(io.Discard, server)
}

// replies passes messages from the server to the client.
func (p *proxy) replies(client, server net.Conn, cut *atomic.Bool) {
	defer client.Close()
	for {
		kind, message, err := readMessage(server, false)
		if err != nil {
			return
		}
		if cut.Load() {
			if kind == 'Z' { // ready for the next: it has committed
				server.Close()
				return
			}
			continue
		}
		client.Write(message) // when the client is gone, the server is read on
	}
}

// readMessage reads one message; the first of a connection has no kind.
func readMessage(from io.Reader, startup bool) (kind byte, message []byte, err error) {
	head := make([]byte, 5)
	if startup {
		head = head[:4]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return 0, nil, err
	}
	if !startup {
		kind = head[0]
	}
	length := int(binary.BigEndian.Uint32(head[len(head)-4:]))
	message = make([]byte, len(head)+length-4)
	copy(message, head)
	_, err = io.ReadFull(from, message[len(head):])
	return kind, message, err
}
