package socket

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// rawClient is a client that may do what no client should.
type rawClient struct {
	t testing.TB
	net.Conn
	br *bufio.Reader
}

// wireFrame is a frame as it came.
type wireFrame struct {
	first   byte
	op      byte
	payload []byte
}

func (f wireFrame) code() int {
	if len(f.payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.payload))
}

// connect opens a TCP connection with a small receive buffer; no handshake.
func (r *rig) connect() *rawClient {
	r.t.Helper()
	c, err := net.Dial("tcp", r.web.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	c.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return &rawClient{r.t, c, bufio.NewReader(c)}
}

// raw is a connection after its handshake.
func (r *rig) raw() *rawClient {
	r.t.Helper()
	return upgraded(r.t, r.connect().Conn, r.web.URL)
}

func upgraded(t testing.TB, c net.Conn, url string) *rawClient {
	t.Helper()
	rc := &rawClient{t, c, bufio.NewReader(c)}
	q := handshake(url, nil)
	if err := q.Write(c); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(rc.br, q)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	return rc
}

// handshake is the upgrade request; header overrides single lines, "" takes one away.
func handshake(url string, header map[string]string) *http.Request {
	q, err := http.NewRequest("GET", url, nil)
	if err != nil {
		panic(err)
	}
	h := q.Header
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-WebSocket-Version", "13")
	h.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	h.Set("Sec-WebSocket-Protocol", testProtocol)
	h.Set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
	for k, v := range header {
		h.Set(k, v)
		if v == "" {
			h.Del(k)
		}
	}
	return q
}

func (c *rawClient) write(p []byte) {
	c.t.Helper()
	if _, err := c.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

// frame reads the next frame, which must be a server's: whole, unmasked.
func (c *rawClient) frame() wireFrame {
	c.t.Helper()
	f, err := c.tryFrame()
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

func (c *rawClient) tryFrame() (f wireFrame, err error) {
	var b [8]byte
	if _, err = io.ReadFull(c.br, b[:2]); err != nil {
		return f, err
	}
	f.first, f.op = b[0], b[0]&0x0f
	if b[0]&bitFin == 0 || b[0]&bitsRSV != 0 || b[1]&bitMask != 0 {
		c.t.Errorf("frame header %x", b[:2])
	}
	n := uint64(b[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.br, b[:2])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		_, err = io.ReadFull(c.br, b[:8])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return f, err
	}
	f.payload = make([]byte, n)
	_, err = io.ReadFull(c.br, f.payload)
	return f, err
}

// clientFrame is a masked frame with FIN set.
func clientFrame(op byte, payload []byte) []byte {
	b := []byte{bitFin | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bitMask|byte(n))
	case n < 1<<16:
		b = append(b, bitMask|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bitMask|127), uint64(n))
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	for i, x := range payload {
		b = append(b, x^key[i%4])
	}
	return b
}
