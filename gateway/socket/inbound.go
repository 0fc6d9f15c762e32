package socket

import (
	"context"
	"errors"
	"io"

	"github.com/coder/websocket"
)

// inbound is what of the peer's bytes is not yet done with. Idle, it is empty.
type inbound struct {
	src    []byte    // whole frames for the library to read
	part   []byte    // the beginning of a frame, at most MaxFrame and its header
	msg    io.Reader // a message whose last fragment is not here yet
	text   []byte    // its fragments so far
	skip   uint64    // while closing: bytes of payload still to pass over
	deaf   bool      // while closing: the peer's framing is lost, all it sends is noise
	packed bool      // msg is compressed
}

// receive takes bytes as they come from the peer. buf is room to put a message
// together in; it belongs to the caller and grows with the messages. One call at
// a time; the caller holds a reference.
func (s *Socket) receive(p []byte, buf *[]byte) {
	s.srv.metrics.bytesIn.Add(len(p))
	in := &s.in
	if len(in.part) > 0 {
		in.part = append(in.part, p...)
		p = in.part
	}
	if s.end.begun.Load() {
		in.part = s.discard(p)
		return
	}
	sc := scan(p, s.srv.opts.MaxFrame, s.deflate)
	if sc.frames > 0 {
		s.heard.Store(s.srv.wheel.now.Load())
		s.srv.metrics.framesIn.Add(sc.frames)
	}
	in.src = p[:sc.whole]
	s.pump(&sc, buf)
	in.src, in.deaf = nil, sc.doomed
	if sc.closed && s.end.begun.Load() {
		s.end.answered.Store(true)
		s.checkEnd()
	}
	if sc.tooBig {
		s.violate(Fault{CodeTooBig, "message too big"})
	}
	if s.over() {
		in.part = s.discard(p[sc.whole:])
		return
	}
	s.keep(p[sc.whole:])
	if len(in.part) == 0 && in.msg == nil {
		s.disarm(dueRead)
	} else if sc.messages > 0 || s.due[dueRead].Load() == 0 {
		s.arm(dueRead, s.srv.wheel.in(s.srv.opts.ReadTimeout))
	}
}

// keep holds the beginning of a frame until the rest comes.
func (s *Socket) keep(rest []byte) {
	switch {
	case len(rest) == 0:
		s.in.part = nil
	case len(rest) < len(s.in.part) || len(s.in.part) == 0:
		s.in.part = append([]byte(nil), rest...)
	}
}

// pump has the library read all frames of in.src and hands on the messages.
func (s *Socket) pump(sc *scanned, buf *[]byte) {
	// Only what ends without a message (control frames, fragments, violations)
	// costs the library's error for "no more"; messages are counted beforehand.
	for n := sc.messages; n > 0 || sc.tail; n-- {
		if s.over() || !s.message(sc, buf) {
			return
		}
	}
}

// message reads up to the end of one message. It says whether it came to that.
func (s *Socket) message(sc *scanned, buf *[]byte) bool {
	in, dst := &s.in, (*buf)[:0]
	if in.msg == nil {
		typ, r, err := s.ws.Reader(context.Background())
		if err != nil {
			s.unread(err)
			return false
		}
		if typ == websocket.MessageBinary {
			s.violate(Fault{CodeProtocolError, "binary message"})
			return false
		}
		in.msg = r
		if s.deflate {
			in.packed, sc.deflated = sc.deflated[0], sc.deflated[1:]
		}
	}
	if in.text != nil {
		dst = in.text
	}
	text, err := readAll(in.msg, dst)
	if in.text == nil {
		*buf = text[:0]
	}
	if err != nil {
		if in.text == nil {
			text = append(make([]byte, 0, len(text)+1), text...) // never nil
		}
		in.text = text
		s.unread(err)
		return false
	}
	in.msg, in.text = nil, nil
	if in.packed {
		return s.unpack(text)
	}
	s.handler.Frame(text)
	return true
}

// unpack hands on a compressed message.
func (s *Socket) unpack(p []byte) bool {
	s.srv.metrics.deflatedIn.Inc()
	i, text, err := inflate(p, s.srv.opts.MaxFrame)
	defer i.release()
	switch {
	case errors.Is(err, errInflated):
		s.violate(Fault{CodeTooBig, "message too big"})
	case err != nil:
		s.violate(Fault{CodeProtocol, "message cannot be inflated"})
	default:
		s.handler.Frame(text)
	}
	return err == nil
}

// unread sorts out why the library read no further.
func (s *Socket) unread(err error) {
	switch {
	case errors.Is(err, errParked), s.over():
	case websocket.CloseStatus(err) != -1:
		s.peerClosed()
	default:
		s.violate(s.faultOf(err))
	}
}

// faultOf is the violation that made the library fail: with the code of the close
// frame it made for it, if any.
func (s *Socket) faultOf(err error) Fault {
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return Fault{CodeTooBig, "message too big"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.end.frame; len(f) >= 4 {
		return Fault{int(f[2])<<8 | int(f[3]), "protocol violation"}
	}
	return Fault{CodeProtocol, "protocol violation"}
}

// readAll appends all of r to b.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
