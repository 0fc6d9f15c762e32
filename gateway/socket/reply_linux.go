package socket

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// reply is the answer to an upgrade that a front has read: it goes out in one
// write, at the Hijack of the handshake or when the handler has returned.
type reply struct {
	srv     *Server
	visitor *visitor
	rest    []byte // what came behind the request
	header  http.Header
	status  int
	body    []byte
	taken   bool // by Hijack
}

var replies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

var errNoUpgrade = errors.New("socket: the answer is no upgrade")

// Hijack answers and gives the connection away.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.status != http.StatusSwitchingProtocols || w.taken {
		return nil, nil, errNoUpgrade
	}
	w.taken = true
	w.srv.metrics.fronts[frontUpgraded].Inc()
	v := w.visitor
	if err := w.send(); err != nil {
		rawnet.Close(v.fd)
		return nil, nil, err
	}
	return &visit{fd: v.fd, watched: v.watched, remote: v.remote, first: w.rest, end: func() { rawnet.Close(v.fd) }}, nil, nil
}

// send writes the answer. The send buffer of a connection that was sent nothing
// so far holds it: when it does not go at once, something is wrong with the peer.
func (w *reply) send() error {
	b := replies.Get().(*bytes.Buffer)
	defer replies.Put(b)
	b.Reset()
	b.WriteString("HTTP/1.1 ")
	b.WriteString(strconv.Itoa(w.status))
	b.WriteByte(' ')
	b.WriteString(http.StatusText(w.status))
	b.WriteString("\r\n")
	w.header.Write(b)
	if w.status != http.StatusSwitchingProtocols {
		b.WriteString("Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nContent-Length: " + strconv.Itoa(len(w.body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(w.body)
	for p := b.Bytes(); len(p) > 0; {
		n, err := rawnet.Write(w.visitor.fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
