package link

import (
	"encoding/binary"

	"github.com/feedgate/feedgate/feedengine"
)

// putRecipients is the hot path: once for each session that gets an event.
//
//	session, n, feed, notifications, messages, v   varints
//
// About 10 bytes each, as sessions are numbered from 1 by each gateway process.
func putRecipients(b []byte, to []feedengine.Recipient) []byte {
	b = putUint(b, uint64(len(to)))
	for i := range to {
		r := &to[i]
		b = putUint(b, uint64(r.Session))
		b = putUint(b, r.N)
		b = putUint(b, uint64(r.Counts.Feed))
		b = putUint(b, uint64(r.Counts.Notifications))
		b = putUint(b, uint64(r.Counts.Messages))
		b = putUint(b, r.Counts.V)
	}
	return b
}

// recipientBytes is the least that a recipient takes.
const recipientBytes = 6

// recipients reads into buf, which grows when it is too small.
func (t *taker) recipients(buf []feedengine.Recipient) []feedengine.Recipient {
	n := t.count(recipientBytes)
	if cap(buf) < n {
		buf = make([]feedengine.Recipient, n)
	}
	buf = buf[:n]
	b := t.b
	for i := range buf {
		var v [6]uint64
		for k := range v {
			if len(b) > 0 && b[0] < 0x80 {
				v[k] = uint64(b[0])
				b = b[1:]
				continue
			}
			x, n := binary.Uvarint(b)
			if n <= 0 {
				t.fail()
				return nil
			}
			v[k] = x
			b = b[n:]
		}
		if v[2]|v[3]|v[4] > 1<<32-1 {
			t.fail()
			return nil
		}
		buf[i] = feedengine.Recipient{
			Session: feedengine.SessionID(v[0]), N: v[1],
			Counts: feedengine.Counts{Feed: uint32(v[2]), Notifications: uint32(v[3]), Messages: uint32(v[4]), V: v[5]},
		}
	}
	t.b = b
	return buf
}
