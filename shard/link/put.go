package link

import (
	"encoding/binary"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// What follows appends the parts of messages to a buffer. Numbers are varints;
// ids, whose high bits are set, are 8 bytes, little-endian, and so are
// incarnations. Strings and byte slices stand behind their length.

func putUint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func putID(b []byte, id feedengine.ID) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(id))
}

func putString(b []byte, s string) []byte {
	return append(putUint(b, uint64(len(s))), s...)
}

func putBytes(b, s []byte) []byte {
	return append(putUint(b, uint64(len(s))), s...)
}

func putStrings(b []byte, list []string) []byte {
	b = putUint(b, uint64(len(list)))
	for _, s := range list {
		b = putString(b, s)
	}
	return b
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// putTime keeps milliseconds; the zero time is 0.
func putTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return putUint(b, 0)
	}
	return putUint(b, uint64(max(1, t.UnixMilli())))
}

func putPlace(b []byte, p feedengine.Place) []byte {
	return putUint(putUint(b, uint64(p.Shard)), p.Epoch)
}

func putHead(b []byte, h feedengine.Head) []byte {
	b = putUint(b, h.Epoch)
	b = putUint(b, h.First)
	b = putUint(b, h.Seq)
	return putID(b, h.ID)
}

func putCounts(b []byte, c feedengine.Counts) []byte {
	b = putUint(b, uint64(c.Feed))
	b = putUint(b, uint64(c.Notifications))
	b = putUint(b, uint64(c.Messages))
	return putUint(b, c.V)
}
