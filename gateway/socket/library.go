package socket

import (
	"errors"
	"io"
	"net"
	"time"
)

// library is the connection that coder/websocket believes to have. It reads
// whole frames from Socket.in, and gets errParked where they end; it writes
// control frames, which are kept until the next flush.
//
// That relies on two things of coder/websocket v1.8.15, held by tests: an error
// from the connection between two frames leaves it as it was (Reader may be
// called again), and a control frame is one Write (header and payload go
// through the bufio.Writer of controlBuffer bytes, flushed once).
type library Socket

const (
	headerBuffer  = 16                             // the library's bufio.Reader: payloads pass it by
	controlBuffer = 2 + maxControl                 // the largest control frame of a server
	_             = uint(headerBuffer - maxHeader) // does not compile if a header did not fit
)

// errParked: the next frame is not here yet.
var errParked = errors.New("socket: no whole frame to read")

func (l *library) Read(p []byte) (int, error) {
	if l.end.sealed.Load() {
		return 0, io.EOF
	}
	if len(l.in.src) == 0 {
		return 0, errParked
	}
	n := copy(p, l.in.src)
	l.in.src = l.in.src[n:]
	return n, nil
}

func (l *library) Write(p []byte) (int, error) {
	if h, ok := parseHead(p); !ok || h.header+int(h.payload) != len(p) {
		return 0, errors.New("socket: the library wrote half a control frame")
	}
	frame := append([]byte(nil), p...)
	l.mu.Lock()
	switch p[0] & 0x0f {
	case opClose:
		l.end.frame = frame // goes last: beginClose follows
	default:
		l.pong = frame
	}
	l.mu.Unlock()
	if p[0]&0x0f != opClose {
		(*Socket)(l).Wake()
	}
	return len(p), nil
}

// Close is the library's, not the connection's.
func (l *library) Close() error { return nil }

func (l *library) LocalAddr() net.Addr              { return nil }
func (l *library) RemoteAddr() net.Addr             { return nil }
func (l *library) SetDeadline(time.Time) error      { return nil }
func (l *library) SetReadDeadline(time.Time) error  { return nil }
func (l *library) SetWriteDeadline(time.Time) error { return nil }
