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
	switch do := do.(type) {
	case feedengine.Publish:
		if do.Key != "" {
			return ""
		}
	case feedengine.Delete:
	default:
		return ""
	}
	return k.prefix + strconv.FormatUint(k.last.Add(1), 36)
}
