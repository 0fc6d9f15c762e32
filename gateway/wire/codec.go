package wire

import "errors"

// ErrBroken: the frame is not one JSON object. Its sender gets no reply but a
// close with CloseProtocol.
var ErrBroken = errors.New("the frame is not a JSON object")

// Limits of the protocol.
const (
	MaxFrame = 64 << 10 // bytes of one inbound frame or HTTP body
	MaxText  = 8_000    // bytes after trimming
	MaxKey   = 64       // bytes of an idempotency key
	MaxUsers = 1_000    // users in one follow
	MaxMedia = 10       // references of one post or message
	MaxPage  = 100      // posts, users … in one page
	MaxInt   = 1 << 53  // the greatest number that every JSON library reads exactly
)

// Codec is one subprotocol. Its methods append to dst, allocate only when dst
// is too small, and may be called from many goroutines.
type Codec interface {
	// Decode reads one client frame. Its only error is ErrBroken; fields that
	// are not as they should be are told in r.Fault.
	Decode(p []byte, r *Request) error
	// AppendBody encodes an event for all its recipients, up to the frame's end.
	AppendBody(dst []byte, e *Event) []byte
	// AppendHead is what stands before the body in one recipient's frame. body
	// is the body's length, for codecs that send lengths. counted is false where
	// no counters are sent along.
	AppendHead(dst []byte, n uint64, c Counts, counted bool, body int) []byte
	// AppendFrame encodes every other frame.
	AppendFrame(dst []byte, f *Frame) []byte
}

// JSONv1 is the name of the first subprotocol.
const JSONv1 = "feedgate.v1.json"

// JSON is the codec of the subprotocol JSONv1.
var JSON Codec = jsonCodec{}

// Codecs holds every subprotocol's codec, the preferred first.
var Codecs = [...]struct {
	Subprotocol string
	Codec       Codec
}{
	{JSONv1, JSON},
}

// CodecOf is the index in Codecs of a subprotocol, -1 when it is not known.
func CodecOf(subprotocol string) int {
	for i, c := range Codecs {
		if c.Subprotocol == subprotocol {
			return i
		}
	}
	return -1
}
