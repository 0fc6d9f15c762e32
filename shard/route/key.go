package route

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
)

// keys makes internal idempotency keys, so that a write may be sent again, to
// whomever, and is carried out once. They never come twice, in whatever process.
type keys struct {
	prefix string
	last   *atomic.Uint64
}

func newKeys() keys {
	var b [16]byte
	rand.Read(b[:])
	return keys{prefix: hex.EncodeToString(b[:]) + "-", last: new(atomic.Uint64)}
}

// keyFor is a new key for a write that is not idempotent by itself and has none of
// its client's, else "".
func (k keys) keyFor(do feedengine.Action) string {
	if own, needs := keyOf(do); !needs || own != "" {
		return ""
	}
	return k.prefix + strconv.FormatUint(k.last.Add(1), 36)
}

// keyOf reports whether an action is a write that is not the same when it is
// carried out twice, and the key that its client gave it, if any. A follow, a like,
// a hide, a change of a post or profile and a read mark only say how things are to be.
func keyOf(do feedengine.Action) (own string, needs bool) {
	switch do := do.(type) {
	case feedengine.Publish:
		return do.Key, true
	case feedengine.AddComment:
		return do.Key, true
	case feedengine.Send:
		return do.Key, true
	case feedengine.Delete: // the second finds nothing to delete
		return "", true
	}
	return "", false
}
