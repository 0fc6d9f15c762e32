package wire

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 80_999_999, time.FixedZone("there", 3600))

// TestFrames holds every server frame to the letter.
func TestFrames(t *testing.T) {
	counts := Counts{4, 1, 0, 881}
	const counted = `{"feed":4,"notifications":1,"messages":0,"v":881}`
	post := Post{ID: math.MaxInt64, Author: "alice", Kind: "post", Text: "a\u2028b", At: at, Likes: 3, Comments: 2}
	const posted = `"id":"9223372036854775807","author":"alice","kind":"post","text":"a\u2028b","at":"2026-03-04T04:06:07.080Z","likes":3,"comments":2}`
	event := func(e *Event, counted bool) string {
		body := JSON.AppendBody(nil, e)
		return string(append(JSON.AppendHead(nil, 1043, counts, counted, len(body)), body...))
	}
	frame := func(f Frame) string { return string(JSON.AppendFrame(nil, &f)) }
	reply := func(o Object) string { return frame(Frame{Kind: Reply, Re: 7, OK: o}) }
	for _, tc := range []struct{ got, want string }{
		{event(&Event{Type: EventPost, Post: &post}, true), `{"n":1043,"unread":` + counted + `,"event":{"type":"post",` + posted + `}`},
		{event(&Event{Type: EventPostDeleted, Target: 5}, true), `{"n":1043,"unread":` + counted + `,"event":{"type":"post_deleted","post":"5"}}`},
		{event(&Event{Type: EventRead, Of: "feed", Target: 6}, true), `{"n":1043,"unread":` + counted + `,"event":{"type":"read","of":"feed","upto":"6"}}`},
		{event(&Event{Type: EventVoid}, false), `{"n":1043,"event":{"type":"void"}}`},
		{frame(Frame{Kind: Unread, Counts: counts}), `{"unread":` + counted + `}`},
		{frame(Frame{Kind: Heartbeat, N: 1043}), `{"hb":1043}`},
		{frame(Frame{Kind: ResetFrame, Reset: Reset{"b1", 0, "view_rebuilt"}, Counts: counts}),
			`{"reset":{"stream":"b1","n":0,"reason":"view_rebuilt"},"unread":` + counted + `}`},
		{frame(Frame{Kind: Goodbye, Bye: ByeFor(CloseDraining)}), `{"bye":{"code":4200,"reason":"draining","retry_ms":500,"spread_ms":5000}}`},
		{frame(Frame{Kind: Goodbye, Bye: ByeFor(CloseRevoked)}), `{"bye":{"code":4503,"reason":"revoked","retry_ms":0,"spread_ms":0}}`},
		{frame(Frame{Kind: Failure, Re: 7, Err: &Error{"rate_limited", "slow \"down\"", true, 800 * time.Millisecond}}),
			`{"re":7,"error":{"code":"rate_limited","message":"slow \"down\"","retryable":true,"retry_ms":800}}`},
		{frame(Frame{Kind: Failure, Re: -7, Err: &Error{"conflict", "no", false, 0}}),
			`{"re":-7,"error":{"code":"conflict","message":"no","retryable":false}}`},
		{reply(Empty{}), `{"re":7,"ok":{}}`},
		{reply(&Posted{post}), `{"re":7,"ok":{"post":{` + posted + `}}`},
		{reply(Followed{9}), `{"re":7,"ok":{"since":"9"}}`},
		{reply(&Marked{counts, 9, ""}), `{"re":7,"ok":{"unread":` + counted + `,"upto":"9"}}`},
		{reply(&Marked{counts, 0, "b1"}), `{"re":7,"ok":{"unread":` + counted + `,"upto":"0","stream":"b1"}}`},
		{reply(&Counters{counts, "b1"}), `{"re":7,"ok":{"unread":` + counted + `,"conversations":{},"stream":"b1"}}`},
		{reply(&Page{}), `{"re":7,"ok":{"posts":[],"next":""}}`},
		{reply(&Page{[]Post{post, post}, 8}), `{"re":7,"ok":{"posts":[{` + posted + `,{` + posted + `],"next":"8"}}`},
		{reply(&Users{}), `{"re":7,"ok":{"users":[],"next":""}}`},
		{reply(&Users{[]string{"a", "b"}, "b"}), `{"re":7,"ok":{"users":["a","b"],"next":"b"}}`},
		{reply(Refreshed{at}), `{"re":7,"ok":{"expires":"2026-03-04T04:06:07.080Z"}}`},
		{reply(&Connected{User: "u42", Stream: "a9f3", N: 1045, Resumed: true, Replay: 3, Counts: counts, Heartbeat: 25 * time.Second, Feed: &Page{}}),
			`{"re":7,"ok":{"user":"u42","stream":"a9f3","n":1045,"resumed":true,"replay":3,"unread":` + counted + `,"heartbeat_ms":25000,"feed":{"posts":[],"next":""}}}`},
	} {
		if tc.got != tc.want {
			t.Errorf("\n got %s\nwant %s", tc.got, tc.want)
		}
		if !json.Valid([]byte(tc.got)) {
			t.Errorf("no JSON: %s", tc.got)
		}
	}
}

// TestRoundTrip: what the server encodes, the client end reads.
func TestRoundTrip(t *testing.T) {
	decode := func(p []byte) *ServerFrame {
		t.Helper()
		f, err := DecodeServer(p)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	re, counts, hb := int64(7), Counts{1, 2, 3, 4}, uint64(9)
	body := JSON.AppendBody(nil, &Event{Type: EventVoid})
	for _, tc := range []struct {
		p    []byte
		want ServerFrame
	}{
		{JSON.AppendFrame(nil, &Frame{Kind: Reply, Re: re, OK: Empty{}}), ServerFrame{Re: &re, OK: []byte(`{}`)}},
		{JSON.AppendFrame(nil, &Frame{Kind: Failure, Re: re, Err: &Error{"overloaded", "m", true, time.Second}}),
			ServerFrame{Re: &re, Err: &Error{"overloaded", "m", true, time.Second}}},
		{JSON.AppendFrame(nil, &Frame{Kind: Unread, Counts: counts}), ServerFrame{Unread: &counts}},
		{JSON.AppendFrame(nil, &Frame{Kind: Heartbeat, N: hb}), ServerFrame{HB: &hb}},
		{JSON.AppendFrame(nil, &Frame{Kind: ResetFrame, Reset: Reset{"a", 3, "r"}, Counts: counts}), ServerFrame{Reset: &Reset{"a", 3, "r"}, Unread: &counts}},
		{JSON.AppendFrame(nil, &Frame{Kind: Goodbye, Bye: ByeFor(CloseSlow)}), ServerFrame{Bye: new(ByeFor(CloseSlow))}},
		{append(JSON.AppendHead(nil, 5, counts, true, len(body)), body...), ServerFrame{N: 5, Unread: &counts, Event: []byte(`{"type":"void"}`)}},
	} {
		if diff := cmp.Diff(&tc.want, decode(tc.p)); diff != "" {
			t.Errorf("%s: %s", tc.p, diff)
		}
	}
}

// TestHeadAllocs: the per-recipient part of a delivery allocates nothing.
func TestHeadAllocs(t *testing.T) {
	buf := make([]byte, 0, 512)
	frame := &Frame{Kind: Heartbeat, N: 5}
	n := uint64(0)
	if a := testing.AllocsPerRun(1000, func() {
		n += 12345
		buf = JSON.AppendHead(buf[:0], n, Counts{1, 2, 3, n}, true, 100)
		buf = JSON.AppendFrame(buf, frame)
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\x7f", "\u2028\u2029\u2027", "\xff\xc3", "\xed\xa0\x80", "👋", strings.Repeat("\xe2\x80", 3)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := appendString([]byte("x"), s)[1:]
		var back string
		if err := json.Unmarshal(p, &back); err != nil || !utf8.Valid(p) {
			t.Fatalf("%q became %q: %v", s, p, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q came back as %q", s, back)
		}
		if strings.ContainsAny(string(p), "\u2028\u2029") {
			t.Fatalf("a line end is left in %q", p)
		}
	})
}
