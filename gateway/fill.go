package gateway

import (
	"sync"
	"time"

	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

// batch is what Fill needs of a *socket.Batch.
type batch interface {
	Frame(head, body, tail []byte)
	Deflates() bool
	Deflated(head, body []byte)
	Full() bool
}

// scratch is what encoding a head or a frame needs, pooled.
type scratch struct {
	buf    []byte
	packed []byte // buf compressed
	frame  wire.Frame
}

// keepScratch is the size in bytes above which a buffer is not pooled.
const keepScratch = 16 << 10

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 512)} }}

// Fill gives the socket what waits, oldest first: the queue, then counters, then
// a heartbeat.
func (s *session) Fill(b *socket.Batch) { s.fill(b) }

func (s *session) fill(b batch) {
	sc := scratches.Get().(*scratch)
	now := int64(0)
	codec := wire.Codecs[s.codec].Codec
	own := false // sc.frame has been used
	for left := true; left && !b.Full(); {
		s.mu.Lock()
		if s.out.held {
			s.mu.Unlock()
			break
		}
		e, ok := s.out.pop()
		switch {
		case ok && e.body != nil:
			if now == 0 {
				now = time.Now().UnixMilli()
			}
			s.sent, s.sentAt = e.n, now
		case ok && e.moves:
			s.sent = e.n
		case !ok:
			ok = s.trailer(&sc.frame)
			e.frame, own = &sc.frame, own || ok
		}
		since, stream := s.since, s.stream
		left = s.out.waits() || s.hb
		s.mu.Unlock()
		if !ok {
			break
		}
		if e.body == nil {
			if e.frame.Kind == wire.ResetFrame {
				e.frame.Reset.Stream = stream.String()
			}
			sc.buf = codec.AppendFrame(sc.buf[:0], e.frame)
			s.g.send(b, sc)
			continue
		}
		sc.buf = codec.AppendHead(sc.buf[:0], e.n, e.counts, !e.body.void, len(e.body.bytes))
		if s.g.compresses(b, len(e.body.bytes)) {
			b.Deflated(sc.buf, e.body.deflate())
		} else {
			b.Frame(sc.buf, e.body.bytes, nil)
		}
		if e.body.at >= since && e.body.at != 0 {
			s.g.metrics.publishToSocket.Update(float64(max(0, now-e.body.at)) / 1e3)
		}
	}
	if own { // it is large
		sc.frame = wire.Frame{}
	}
	if cap(sc.buf) > keepScratch {
		sc.buf = nil
	}
	if cap(sc.packed) > keepScratch {
		sc.packed = nil
	}
	scratches.Put(sc)
}

// compresses says whether a frame is to be compressed, of whose bytes so many are
// worth it.
func (g *Gateway) compresses(b batch, bytes int) bool {
	return g.compressAbove > 0 && bytes > g.compressAbove && b.Deflates()
}

// send gives the socket a frame that is its own.
func (g *Gateway) send(b batch, sc *scratch) {
	if !g.compresses(b, len(sc.buf)) {
		b.Frame(sc.buf, nil, nil)
		return
	}
	sc.packed = socket.AppendDeflated(sc.packed[:0], sc.buf)
	b.Deflated(nil, sc.packed)
}

// trailer is what may follow the queue: counters, then the heartbeat.
func (s *session) trailer(f *wire.Frame) bool {
	if c, ok := s.out.counters(); ok {
		*f = wire.Frame{Kind: wire.Unread, Counts: c}
		return true
	}
	if s.hb {
		s.hb, s.beatN = false, s.sent
		*f = wire.Frame{Kind: wire.Heartbeat, N: s.sent}
		return true
	}
	return false
}
