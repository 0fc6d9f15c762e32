package socket

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// packed is a masked frame of a message that AppendDeflated compressed.
func packed(text string) []byte {
	return with(bitRSV1, clientFrame(opText, AppendDeflated(nil, []byte(text))))
}

// vectors are the examples of RFC 7692, section 7.2.3: all say Hello.
var vectors = []string{
	"\xf2\x48\xcd\xc9\xc9\x07\x00",
	"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
	"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
	"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
}

func TestInflate(t *testing.T) {
	for _, v := range vectors {
		i, text, err := inflate([]byte(v), 5)
		if err != nil || string(text) != "Hello" {
			t.Errorf("%x: %q, %v", v, text, err)
		}
		i.release()
		if i, text, err := inflate([]byte(v), 4); err != errInflated {
			t.Errorf("%x in 4 bytes: %q, %v", v, text, err)
			i.release()
		}
	}
	whole := AppendDeflated(nil, []byte(strings.Repeat("what is cut off is not whole ", 30)))
	for n := range len(whole) {
		if i, text, err := inflate(slices.Clone(whole[:n]), 1<<16); err == nil && len(text) > 0 {
			t.Errorf("the first %d of %d bytes pass for %q", n, len(whole), text)
		} else {
			i.release()
		}
	}
	bomb := AppendDeflated(nil, make([]byte, 64<<20))
	i, text, err := inflate(bomb, 64<<10)
	if err != errInflated || cap(text) > 1<<20 {
		t.Errorf("%d bytes that become 64 MB: %d, %v", len(bomb), cap(text), err)
	}
	i.release()
}

func TestDeflateOffers(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                                 true,
		"permessage-deflate;client_max_window_bits=10;server_no_context_takeover":    true,
		`permessage-deflate; server_max_window_bits="15"`:                            true,
		"permessage-deflate; server_max_window_bits=10":                              false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          true,
		"permessage-deflate; unheard_of":                                             false,
		"permessage-deflate; server_no_context_takeover=1":                           false,
		"permessage-deflate; client_no_context_takeover; client_no_context_takeover": false,
		"x-webkit-deflate-frame":                                                     false,
		"x-webkit-deflate-frame, permessage-deflate; client_no_context_takeover":     true,
	} {
		if got := offersDeflate(http.Header{"Sec-Websocket-Extensions": {offer}}); got != want {
			t.Errorf("%q: %v", offer, got)
		}
	}
}

// TestDeflateBothWays against another implementation, with whatever context it
// keeps: what is sent arrives, and what comes is inflated.
func TestDeflateBothWays(t *testing.T) {
	long := strings.Repeat("a post that says what the one before it said, ", 200)
	pollers(t, func(t *testing.T, o Options) {
		o.Deflate = true
		for name, mode := range map[string]websocket.CompressionMode{
			"none": websocket.CompressionDisabled, "no context": websocket.CompressionNoContextTakeover, "context": websocket.CompressionContextTakeover,
		} {
			t.Run(name, func(t *testing.T) {
				big := strings.Repeat("x", maxStored+10) // a head of two stored blocks
				frames := [][2]string{{"head:", long}, {"", long}, {"head:", ""}, {big, "y"}, {"head:", long}}
				r := newRig(t, o, nil)
				c, resp, err := websocket.Dial(t.Context(), r.web.URL, &websocket.DialOptions{
					Subprotocols: []string{testProtocol}, CompressionMode: mode, CompressionThreshold: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				c.SetReadLimit(1 << 20)
				want := ""
				if mode != websocket.CompressionDisabled {
					want = deflateAnswer
				}
				if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
					t.Errorf("agreed to %q", got)
				}
				p := r.peer()
				p.mu.Lock()
				p.pairs = frames
				p.mu.Unlock()
				p.sock.Wake()
				for i, f := range frames {
					_, got, err := c.Read(t.Context())
					if err != nil || string(got) != f[0]+f[1] {
						t.Fatalf("frame %d: %d bytes of %d, %v", i, len(got), len(f[0]+f[1]), err)
					}
				}
				for i := range 3 { // the peer echoes, not compressed
					text := fmt.Sprint(i, long)
					if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
						t.Fatal(err)
					}
					if _, got, err := c.Read(t.Context()); err != nil || string(got) != text {
						t.Fatalf("echo %d: %d bytes, %v", i, len(got), err)
					}
				}
				for way, n := range map[string]int{"sent": len(frames), "received": 3} {
					if want == "" {
						n = 0
					}
					until(t, fmt.Sprint(n, " frames to be counted as ", way, " compressed"), func() bool {
						return r.metric(`feedgate_socket_deflated_frames_total{way="`+way+`"}`) == n
					})
				}
				c.Close(websocket.StatusNormalClosure, "")
				if why := p.why(); why != ClosePeer {
					t.Errorf("closed for %s", why)
				}
			})
		}
	})
}

// TestDeflateOff: it is not agreed to unless allowed.
func TestDeflateOff(t *testing.T) {
	r := newRig(t, Options{}, nil)
	c, resp, err := websocket.Dial(context.Background(), r.web.URL, &websocket.DialOptions{
		Subprotocols: []string{testProtocol}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("agreed to %q", got)
	}
}

// compressed is a run of good frames, of which some are compressed, and the messages.
func compressed() (all []byte, messages []string) {
	long := strings.Repeat("as before, ", 40)
	whole := AppendDeflated(nil, []byte("in three fragments"))
	return join(
		packed("one"),
		clientFrame(opText, []byte("plain")),
		packed(long), packed(""),
		with(bitRSV1, unfinished(clientFrame(opText, whole[:4]))),
		clientFrame(opPing, []byte("between")),
		unfinished(clientFrame(opContinuation, whole[4:9])),
		clientFrame(opContinuation, whole[9:]),
		unfinished(clientFrame(opText, []byte("plain "))), clientFrame(opContinuation, []byte("fragments")),
		with(bitRSV1, clientFrame(opText, []byte(vectors[2]))),
		packed("last"),
	), []string{"one", "plain", long, "", "in three fragments", "plain fragments", "Hello", "last"}
}

// TestInflateSplitEverywhere: however the bytes come, the same messages come of them.
func TestInflateSplitEverywhere(t *testing.T) {
	all, messages := compressed()
	want := fmt.Sprintf("%q []", messages)
	for step := 1; step <= len(all); step++ {
		if got := receiveAll(t, all, step, true); got != want {
			t.Fatalf("in pieces of %d:\n got %s\nwant %s", step, got, want)
		}
	}
}

var deflateViolations = []violation{
	{"reserved bit 1 in a continuation", join(unfinished(packed("x")), with(bitRSV1, clientFrame(opContinuation, nil))), CodeProtocol},
	{"reserved bit 1 in a continuation, header only", join(unfinished(packed("x")), with(bitRSV1, clientFrame(opContinuation, make([]byte, 100)))[:6]), CodeProtocol},
	{"reserved bit 1 in a ping", with(bitRSV1, clientFrame(opPing, nil)), CodeProtocol},
	{"reserved bits 1 and 2", with(0x60, clientFrame(opText, nil)), CodeProtocol},
	{"unmasked and compressed", with(bitRSV1, unmasked(opText, vectors[0])), CodeProtocol},
	{"not deflate", with(bitRSV1, clientFrame(opText, []byte("Hello, world"))), CodeProtocol},
	{"cut off", with(bitRSV1, clientFrame(opText, AppendDeflated(nil, []byte("what is cut off is not whole"))[:12])), CodeProtocol},
	{"compressed binary", with(bitRSV1, clientFrame(opBinary, []byte(vectors[0]))), CodeProtocolError},
	{"a bomb", packed(strings.Repeat("x", 64<<10+1)), CodeTooBig},
	{"a bomb after a good one", join(packed("good"), packed(strings.Repeat("x", 1<<20))), CodeTooBig},
}

func TestDeflateViolations(t *testing.T) {
	for _, v := range deflateViolations {
		t.Run(v.name, func(t *testing.T) {
			rec := new(recorder)
			_, l := memSocket(t, Options{Deflate: true}, func(*Socket) Handler { return rec })
			l.receive(slices.Clone(v.bytes))
			if len(rec.faults) != 1 || rec.faults[0].Code != v.code {
				t.Errorf("faults %v, want %d", rec.faults, v.code)
			}
			l.receive(clientFrame(opText, []byte("after")))
			if slices.Contains(rec.got, "after") {
				t.Error("a message after the end")
			}
			l.receive(clientFrame(opClose, []byte{byte(v.code >> 8), byte(v.code)}))
			l.settle()
			l.s.Abort("test over")
			l.settle()
			if len(rec.closed) != 1 {
				t.Errorf("closed %v", rec.closed)
			}
		})
	}
}

// TestDeflatedWhileClosing: what comes before the peer's close frame is passed
// over, compressed or not.
func TestDeflatedWhileClosing(t *testing.T) {
	rec := new(recorder)
	_, l := memSocket(t, Options{Deflate: true}, func(*Socket) Handler { return rec })
	l.s.Close(4200, "")
	l.settle()
	l.receive(join(packed("late"), clientFrame(opText, []byte("later")), clientFrame(opClose, []byte{16, 104})))
	if len(rec.got) > 0 || len(rec.closed) != 1 || rec.closed[0] != CloseServer {
		t.Errorf("got %q, closed %v", rec.got, rec.closed)
	}
}

// TestDeflatedNeedsNoContext: each message inflates by itself, and the shared
// body's bytes are the same for all.
func TestDeflatedNeedsNoContext(t *testing.T) {
	body := AppendDeflated(nil, []byte(strings.Repeat("the body of all ", 20)))
	b := Batch{deflate: true}
	for _, head := range []string{"1", "22", strings.Repeat("3", 300)} {
		b.reset()
		b.Deflated([]byte(head), body)
		h, ok := parseHead(b.buf)
		if !ok || h.first != bitFin|bitRSV1|opText || h.header+int(h.payload) != len(b.buf) || !bytes.HasSuffix(b.buf, body) {
			t.Fatalf("frame %x", b.buf)
		}
		r := flate.NewReader(io.MultiReader(bytes.NewReader(b.buf[h.header:]), strings.NewReader(finalTail)))
		if text, err := io.ReadAll(r); err != nil || string(text) != head+strings.Repeat("the body of all ", 20) {
			t.Errorf("%q, %v", text, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { b.reset(); b.Deflated([]byte("head"), body) }); n > 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkDeflate is what compressing a body costs, once for all who get it, and
// what becomes of it.
func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{200, 1000, 8000, 80_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var text []byte
			for i := 0; len(text) < size; i++ {
				text = fmt.Appendf(text, `{"id":"%d","author":"user%d","kind":"post","text":"what we did %d times today, and why","likes":%d},`,
					7_000_000_000+i*977, i*31%77, i, i%7)
			}
			var out []byte
			for b.Loop() {
				out = AppendDeflated(out[:0], text[:size])
			}
			b.ReportMetric(float64(len(out)), "bytes")
		})
	}
}
