package socket

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// permessage-deflate (RFC 7692), without context takeover on either side: a
// message is compressed by itself, so a socket keeps nothing for it, and a body
// is compressed once for all who get it. The library is not told: its own way
// compresses each message anew and keeps 4 KB for each socket that was ever sent
// one. It is shown a compressed message as any other, and inflate follows.

// deflateAnswer is the extension as the handshake's answer agrees to it.
const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// offersDeflate says whether the request has an offer that the answer fits.
func offersDeflate(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		for offer := range strings.SplitSeq(line, ",") {
			if acceptable(strings.Split(offer, ";")) {
				return true
			}
		}
	}
	return false
}

// acceptable judges one offer, its name first. A client may ask that the server's
// window be smaller than what we have: that offer is declined (7.1.2.1).
func acceptable(parts []string) bool {
	for i, p := range parts {
		p = strings.TrimSpace(p)
		name, value, valued := strings.Cut(p, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		parts[i] = strings.TrimSpace(name)
		switch {
		case i == 0:
			if p != "permessage-deflate" {
				return false
			}
		case slices.Contains(parts[1:i], parts[i]): // twice
			return false
		case parts[i] == "server_no_context_takeover", parts[i] == "client_no_context_takeover":
			if valued {
				return false
			}
		case parts[i] == "client_max_window_bits": // any: ours reads all windows
		case parts[i] == "server_max_window_bits" && value == "15":
		default:
			return false
		}
	}
	return true
}

// syncTail ends what a flush wrote, and is left out of messages (7.2.1).
const syncTail = "\x00\x00\xff\xff"

// maxStored is the bytes that one stored block holds.
const maxStored = 1<<16 - 1

// AppendDeflated appends p as Batch.Deflated takes it.
func AppendDeflated(dst, p []byte) []byte {
	d := deflaters.Get().(*deflater)
	d.out = dst
	d.w.Reset(d)
	d.w.Write(p) // into memory: cannot fail
	d.w.Flush()
	dst = d.out[:len(d.out)-len(syncTail)]
	d.out = nil
	deflaters.Put(d)
	return dst
}

// deflater is a flate.Writer of about 1 MB, which no socket has of its own: there
// are as many as compress at the same moment.
type deflater struct {
	w   *flate.Writer
	out []byte
}

func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(d, flate.BestSpeed) // a valid level
	return d
}}

// appendStored appends p as deflate blocks that are not compressed, for what is
// each recipient's own.
func appendStored(dst, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), maxStored)
		dst = append(dst, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst = append(dst, p[:n]...)
		p = p[n:]
	}
	return dst
}

// storedSize is the bytes that appendStored appends for n.
func storedSize(n int) int { return n + 5*((n+maxStored-1)/maxStored) }

// inflater reads one compressed message, and belongs to nobody between two.
type inflater struct {
	r   io.ReadCloser
	src bytes.Reader
	out []byte
}

var inflaters = sync.Pool{New: func() any {
	i := new(inflater)
	i.r = flate.NewReader(&i.src)
	return i
}}

var errInflated = errors.New("socket: message too big once inflated")

// finalTail ends a message's blocks as a flush does, and then the stream, so that
// one which was cut off does not pass for whole.
const finalTail = syncTail + "\x01\x00\x00\xff\xff"

// inflate is the message that p was compressed from, at most limit bytes. It uses
// p's room beyond its length; the result is the inflater's until release.
func inflate(p []byte, limit int64) (*inflater, []byte, error) {
	i := inflaters.Get().(*inflater)
	i.src.Reset(append(p, finalTail...))
	err := i.r.(flate.Resetter).Reset(&i.src, nil)
	if err == nil {
		i.out, err = readAll(io.LimitReader(i.r, limit+1), i.out[:0])
	}
	if err == nil && int64(len(i.out)) > limit {
		err = errInflated
	}
	return i, i.out, err
}

func (i *inflater) release() {
	i.src.Reset(nil)
	inflaters.Put(i)
}
