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
		{reply(&Counters{counts, nil, "b1"}), `{"re":7,"ok":{"unread":` + counted + `,"conversations":{},"stream":"b1"}}`},
		{reply(&Counters{counts, []ChatCount{{7, 1}, {8, 2}}, ""}), `{"re":7,"ok":{"unread":` + counted + `,"conversations":{"7":1,"8":2}}}`},
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

// TestObjects holds each object to the letter, as full as it gets and as bare.
func TestObjects(t *testing.T) {
	media := []Media{{"https://a.example/b", "image/png", 7}, {"http://c", "", 0}}
	const shownMedia = `[{"url":"https://a.example/b","type":"image/png","size":7},{"url":"http://c","type":"","size":0}]`
	job := &Job{"Baker <b>", "food", "Ghent", 30_000, 40_000, "EUR", at}
	const shownJob = `{"title":"Baker <b>","category":"food","location":"Ghent","salary_min":30000,"salary_max":40000,"currency":"EUR","closes":"2026-03-04T04:06:07.080Z"}`
	const then = `"2026-03-04T04:06:07.080Z"`
	full := Post{5, "alice", "job", "hi", at, 3, 2, true, media, at, job, "Alice", "https://a.example/a"}
	const shownPost = `"id":"5","author":"alice","kind":"job","text":"hi","at":` + then + `,"likes":3,"comments":2,"visibility":"followers","media":` +
		shownMedia + `,"edited":` + then + `,"job":` + shownJob + `,"name":"Alice","avatar":"https://a.example/a"}`
	like := Notification{9, KindLike, "bob", 5, 0, at, 4, []string{"bob", "ann"}, "Bob"}
	const shownLike = `"id":"9","kind":"like","actor":"bob","post":"5","at":` + then + `,"count":4,"actors":["bob","ann"],"name":"Bob"}`
	message := Message{11, 10, "bob", "hi", at, 8, media, "Bob"}
	const shownMessage = `"id":"11","conversation":"10","from":"bob","text":"hi","at":` + then + `,"reply":"8","media":` + shownMedia + `,"name":"Bob"}`
	query := Query{"bread \"x\"", "food", "Ghent", 1, 2, "EUR"}
	object := func(o Object) string { return string(o.AppendJSON(nil)) }
	event := func(e Event) string { return string(e.AppendJSON(nil)) }
	frame := func(f Frame) string { return string(JSON.AppendFrame(nil, &f)) }
	for _, tc := range []struct{ got, want string }{
		{object(&full), `{` + shownPost},
		{object(&Job{Title: "x"}), `{"title":"x"}`},
		{object(&like), `{` + shownLike},
		{object(&Notification{ID: 9, Kind: "comment", Actor: "bob", Post: 5, Comment: 9, At: at, Count: 1}), `{"id":"9","kind":"comment","actor":"bob","post":"5","comment":"9","at":` + then + `}`},
		{object(&Notification{ID: 9, Kind: "follow", Actor: "bob", At: at}), `{"id":"9","kind":"follow","actor":"bob","at":` + then + `}`},
		{object(&Notification{ID: 9, Kind: KindLike, Actor: "bob", At: at}), `{"id":"9","kind":"like","actor":"bob","at":` + then + `,"count":0,"actors":[]}`},
		{object(&Comment{6, 5, "bob", "hi", at, "Bob"}), `{"id":"6","post":"5","author":"bob","text":"hi","at":` + then + `,"name":"Bob"}`},
		{object(&Comment{6, 5, "bob", "hi", at, ""}), `{"id":"6","post":"5","author":"bob","text":"hi","at":` + then + `}`},
		{object(&message), `{` + shownMessage},
		{object(&Message{ID: 11, Conversation: 10, From: "bob", Text: "hi", At: at}), `{"id":"11","conversation":"10","from":"bob","text":"hi","at":` + then + `}`},
		{object(&Conversation{10, []string{"ann", "bob"}, &message, 2, 8}), `{"id":"10","members":["ann","bob"],"last":{` + shownMessage + `,"unread":2,"read":"8"}`},
		{object(&Conversation{ID: 10}), `{"id":"10","members":[],"last":null,"unread":0,"read":"0"}`},
		{object(&Profile{"bob", "bobby", "Bob", "https://a", "b@x", "+321", "s|1"}), `{"user":"bob","handle":"bobby","name":"Bob","avatar":"https://a","email":"b@x","phone":"+321","subject":"s|1"}`},
		{object(&Profile{User: "bob"}), `{"user":"bob"}`},
		{object(&Search{3, "n", query}), `{"id":"3","name":"n","query":{"q":"bread \"x\"","category":"food","location":"Ghent","salary_min":1,"salary_max":2,"currency":"EUR"}}`},
		{object(&Search{3, "", Query{}}), `{"id":"3","name":"","query":{}}`},
		{object(&Query{Location: "Ghent"}), `{"location":"Ghent"}`},
		{object(&Query{SalaryMax: 7}), `{"salary_max":7}`},
		{object(&Presence{"bob", false, at}), `{"user":"bob","online":false,"seen":` + then + `}`},
		{object(&Presence{User: "bob", Online: true}), `{"user":"bob","online":true}`},

		{object(Liked{12}), `{"likes":12}`},
		{object(&Commented{}), `{"comment":{"id":"0","post":"0","author":"","text":"","at":"0001-01-01T00:00:00.000Z"}}`},
		{object(&Comments{}), `{"comments":[],"next":""}`},
		{object(&Notifications{}), `{"notifications":[],"next":""}`},
		{object(&Notifications{[]Notification{like, like}, 9}), `{"notifications":[{` + shownLike + `,{` + shownLike + `],"next":"9"}`},
		{object(&Sent{message}), `{"message":{` + shownMessage + `}`},
		{object(&Conversations{}), `{"conversations":[],"next":""}`},
		{object(&Messages{}), `{"messages":[],"next":"","seen":[]}`},
		{object(&Messages{[]Message{message}, 11, []Seen{{"ann", 11, 0}}}), `{"messages":[{` + shownMessage + `],"next":"11","seen":[{"user":"ann","got":"11","read":"0"}]}`},
		{object(Got{9}), `{"upto":"9"}`},
		{object(&Jobs{nil, "x.y"}), `{"posts":[],"next":"x.y"}`},
		{object(&Saved{Search{3, "n", Query{}}}), `{"search":{"id":"3","name":"n","query":{}}}`},
		{object(&Searches{}), `{"searches":[]}`},
		{object(&Profiled{Profile{User: "bob"}}), `{"profile":{"user":"bob"}}`},
		{object(&Present{}), `{"presence":[]}`},
		{object(&LoggedIn{"t", "bob", at}), `{"token":"t","user":"bob","expires":` + then + `}`},

		{event(Event{Type: EventPostEdited, Post: &full}), `{"type":"post_edited",` + shownPost},
		{event(Event{Type: EventNotification, Notification: &like}), `{"type":"notification",` + shownLike},
		{event(Event{Type: EventNotificationDeleted, Target: 9}), `{"type":"notification_deleted","notification":"9"}`},
		{event(Event{Type: EventMessage, Message: &message}), `{"type":"message",` + shownMessage},
		{event(Event{Type: EventReceipt, Conversation: 10, User: "ann", Target: 11, Read: true}), `{"type":"receipt","conversation":"10","user":"ann","upto":"11","read":true}`},
		{event(Event{Type: EventRead, Of: "messages", Conversation: 10, Target: 11}), `{"type":"read","of":"messages","conversation":"10","upto":"11"}`},
		{event(Event{Type: EventHidden, User: "mallory"}), `{"type":"hidden","user":"mallory"}`},
		{event(Event{Type: EventShown, User: "mallory"}), `{"type":"shown","user":"mallory"}`},
		{frame(Frame{Kind: TypingFrame, Typing: &Typing{77, "bob"}}), `{"typing":{"conversation":"77","user":"bob"}}`},
		{frame(Frame{Kind: PresenceFrame, Presence: &Presence{"bob", false, at}}), `{"presence":{"user":"bob","online":false,"seen":` + then + `}}`},
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
		{JSON.AppendFrame(nil, &Frame{Kind: TypingFrame, Typing: &Typing{77, "bob"}}), ServerFrame{Typing: &Typing{77, "bob"}}},
		{JSON.AppendFrame(nil, &Frame{Kind: PresenceFrame, Presence: &Presence{User: "bob"}}), ServerFrame{Presence: []byte(`{"user":"bob","online":false}`)}},
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
