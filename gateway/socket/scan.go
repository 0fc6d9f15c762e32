package socket

// scanned is what a first look at the peer's bytes found.
type scanned struct {
	whole    int  // so many bytes are whole frames, or enough to see a violation
	frames   int  // so many frames
	messages int  // of which so many end a message
	tail     bool // the last frame ended none: the library will ask for more
	closed   bool // a close frame is among them
	doomed   bool // the last one's header is a violation; where it ends is not known
	tooBig   bool // the frame that follows says it is larger than a message may be

	deflated []bool // whether each message that begins is compressed; nil where none may be
}

// scan looks for the ends of the frames in p, without judging them: that is the
// library's. But it is not shown a frame that is not all here, so what needs no
// payload to be judged is cut off where its violation shows. With deflate, nor is
// it shown which messages are compressed.
func scan(p []byte, maxFrame int64, deflate bool) (sc scanned) {
	for {
		h, ok := parseHead(p[sc.whole:])
		if !ok {
			return sc
		}
		if h.doomed(deflate) {
			sc.whole, sc.tail, sc.doomed = len(p), true, true
			sc.frames++
			return sc
		}
		if h.payload > uint64(maxFrame) {
			sc.tooBig = true
			return sc
		}
		end := sc.whole + h.header + int(h.payload)
		if end > len(p) {
			return sc
		}
		if deflate && h.begins() {
			p[sc.whole] &^= bitRSV1
			sc.deflated = append(sc.deflated, h.first&bitRSV1 != 0)
		}
		sc.whole = end
		sc.frames++
		sc.tail = true
		switch {
		case h.op() == opClose:
			sc.closed = true
		case h.op() <= opBinary && h.first&bitFin != 0:
			sc.messages++
			sc.tail = false
		}
	}
}

// discard passes over what the peer still sends while the socket closes, looking
// only for its close frame. It returns what is to be kept: less than a header or
// a close frame.
func (s *Socket) discard(p []byte) (rest []byte) {
	in := &s.in
	in.msg, in.text = nil, nil
	for !in.deaf {
		if n := min(in.skip, uint64(len(p))); n > 0 {
			p, in.skip = p[n:], in.skip-n
		}
		h, ok := parseHead(p)
		if in.skip > 0 || !ok {
			return append([]byte(nil), p...)
		}
		if h.doomed(s.deflate) {
			in.deaf = true
			break
		}
		if h.op() == opClose {
			if len(p) < h.header+int(h.payload) {
				return append([]byte(nil), p...)
			}
			s.heard.Store(s.srv.wheel.now.Load())
			s.end.answered.Store(true)
			s.checkEnd()
			in.deaf = true
			break
		}
		p, in.skip = p[h.header:], h.payload
	}
	return nil
}
