package link

import (
	"encoding/binary"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// taker reads what the put functions wrote. After the first thing that cannot be
// read, bad is set and all that follows is zero, so that one look at the end is enough.
type taker struct {
	b   []byte // what is left
	bad bool
}

func (t *taker) fail() {
	t.bad, t.b = true, nil
}

func (t *taker) uint() uint64 {
	if len(t.b) > 0 && t.b[0] < 0x80 {
		v := t.b[0]
		t.b = t.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.fail()
		return 0
	}
	t.b = t.b[n:]
	return v
}

// upTo reads a number that must not be above most.
func (t *taker) upTo(most uint64) uint64 {
	v := t.uint()
	if v > most {
		t.fail()
		return 0
	}
	return v
}

// count reads the length of a list whose elements take at least each bytes.
func (t *taker) count(each int) int {
	v := t.uint()
	if v > uint64(len(t.b)/each) {
		t.fail()
		return 0
	}
	return int(v)
}

func (t *taker) byte() byte {
	if len(t.b) == 0 {
		t.fail()
		return 0
	}
	v := t.b[0]
	t.b = t.b[1:]
	return v
}

func (t *taker) fixed() uint64 {
	if len(t.b) < 8 {
		t.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(t.b)
	t.b = t.b[8:]
	return v
}

func (t *taker) id() feedengine.ID {
	v := t.fixed()
	if v > uint64(feedengine.MaxID) {
		t.fail()
		return 0
	}
	return feedengine.ID(v)
}

// bytes are valid as long as the envelope is.
func (t *taker) bytes() []byte {
	n := t.count(1)
	v := t.b[:n:n]
	t.b = t.b[n:]
	return v
}

func (t *taker) string() string { return string(t.bytes()) }

func (t *taker) strings() []string {
	n := t.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = t.string()
	}
	return list
}

func (t *taker) bool() bool {
	v := t.byte()
	if v > 1 {
		t.fail()
	}
	return v == 1
}

func (t *taker) time() time.Time {
	v := t.upTo(1 << 50)
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v)).UTC()
}

func (t *taker) shard() feedengine.ShardID {
	return feedengine.ShardID(t.upTo(feedengine.MaxShards - 1))
}

func (t *taker) place() feedengine.Place {
	return feedengine.Place{Shard: t.shard(), Epoch: t.uint()}
}

func (t *taker) head() feedengine.Head {
	return feedengine.Head{Epoch: t.uint(), First: t.uint(), Seq: t.uint(), ID: t.id()}
}

func (t *taker) counts() feedengine.Counts {
	return feedengine.Counts{
		Feed:          uint32(t.upTo(1<<32 - 1)),
		Notifications: uint32(t.upTo(1<<32 - 1)),
		Messages:      uint32(t.upTo(1<<32 - 1)),
		V:             t.uint(),
	}
}
