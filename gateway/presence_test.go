package gateway

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// air carries what each gateway publishes to the others.
type air struct {
	mu    sync.Mutex
	all   map[string]*Gateway
	heard []byte // the kinds of messages
}

func (a *air) kinds() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.heard)
}

type antenna struct {
	air  *air
	node string
}

func (a antenna) Publish(msg []byte) {
	a.air.mu.Lock()
	a.air.heard = append(a.air.heard, msg[0])
	a.air.mu.Unlock()
	a.air.mu.Lock()
	all := maps.Clone(a.air.all)
	a.air.mu.Unlock()
	for name, g := range all {
		if name != a.node {
			g.Receive(a.node, msg)
		}
	}
}

// newPair makes two gateways of one cluster, who know the same people.
func newPair(t *testing.T) (*Gateway, *Gateway, *fakePeople, *air) {
	people, in := newFakePeople(), &air{all: map[string]*Gateway{}}
	for _, name := range []string{"a", "b"} {
		g := newBareGateway(t, func(o *Options) {
			o.Node, o.Broadcast, o.Accounts, o.Circle = name, antenna{in, name}, people, people
		})
		in.mu.Lock()
		in.all[name] = g
		in.mu.Unlock()
	}
	t.Cleanup(func() {
		for _, g := range in.all {
			g.Close()
		}
	})
	return in.all["a"], in.all["b"], people, in
}

// enter connects a user's socket.
func enter(t *testing.T, g *Gateway, user string) *fakeSocket {
	f := attach(t, g)
	f.receive(`{"id":1,"op":"connect","token":"ok:` + user + `"}`)
	if frames, _ := f.took(); len(frames) != 1 || !strings.Contains(frames[0], `"user":"`+user+`"`) {
		t.Fatalf("connect: %q", frames)
	}
	return f
}

// shows waits for d and compares the frames since, but for heartbeats, with their
// order left aside.
func (f *fakeSocket) shows(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	got, _ := f.took()
	got = slices.DeleteFunc(got, func(frame string) bool { return strings.HasPrefix(frame, `{"hb":`) })
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("after %v:\n got %q\nwant %q", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), got, want)
	}
	f.mu.Lock()
	f.heard = time.Now()
	f.mu.Unlock()
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, people, _ := newPair(t)
		people.mu.Lock()
		people.seen["cid"] = feedengine.LastSeen{User: "cid", At: time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)}
		people.mu.Unlock()
		ann := enter(t, a, "ann")
		enter(t, b, "eve")
		enter(t, a, "dan")
		ann.receive(`{"id":2,"op":"presence","users":["bob","cid","eve","dan","bob"]}`)
		ann.shows(t, 0, `{"re":2,"ok":{"presence":[{"user":"bob","online":false},{"user":"cid","online":false,"seen":"1999-12-31T23:00:00.000Z"},{"user":"dan","online":true}]}}`)
		bob := enter(t, b, "bob")
		ann.shows(t, 3*time.Second, `{"presence":{"user":"bob","online":true}}`)

		// A quick return is none; a leave is saved, and shown to who asks and who watches.
		bob.s.Closed("test")
		time.Sleep(2 * time.Second)
		bob = enter(t, b, "bob")
		ann.shows(t, 10*time.Second)
		bob.s.Closed("test") // 15 s after the beginning
		ann.shows(t, 8*time.Second, `{"presence":{"user":"bob","online":false,"seen":"2000-01-01T00:00:15.000Z"}}`)
		people.mu.Lock()
		got := people.seen["bob"].At
		people.mu.Unlock()
		if !got.Equal(time.Date(2000, 1, 1, 0, 0, 15, 0, time.UTC)) {
			t.Errorf("saved %v", got)
		}

		// In the background nothing is shown; afterwards, what is so.
		ann.receive(`{"id":3,"op":"state","state":"background"}`)
		ann.shows(t, 0, `{"re":3,"ok":{}}`)
		bob, cid := enter(t, b, "bob"), enter(t, b, "cid")
		ann.shows(t, 5*time.Second)
		cid.s.Closed("test")
		time.Sleep(10 * time.Second)
		ann.receive(`{"id":4,"op":"state","state":"active"}`)
		ann.shows(t, 3*time.Second, `{"presence":{"user":"bob","online":true}}`, `{"re":4,"ok":{}}`)

		// A mute leaves presence, a block takes it away.
		hide := func(list feedengine.List, n uint64) {
			a.Deliver(feedengine.Delivery{
				Event: &feedengine.Event{Kind: feedengine.KindHidden, Actor: "bob", List: list},
				To:    []feedengine.Recipient{{Session: ann.s.id, N: n}},
			})
			ann.took()
		}
		hide(feedengine.ListFeed, 8)
		bob.s.Closed("test")
		ann.shows(t, 8*time.Second, `{"presence":{"user":"bob","online":false,"seen":"2000-01-01T00:00:41.000Z"}}`)
		hide(0, 9)
		enter(t, b, "bob")
		enter(t, b, "cid")
		ann.shows(t, 5*time.Second, `{"presence":{"user":"cid","online":true}}`)

		// So does a reset, behind which there may have been a block.
		people.mu.Lock()
		people.strangers["cid"] = true
		people.mu.Unlock()
		a.Reset(feedengine.Reset{Session: ann.s.id, Stream: 7, N: 1})
		synctest.Wait()
		ann.took()
		if left := a.presence.Watched(ann.s.id); !slices.Equal(left, []string{"dan"}) {
			t.Errorf("watched after a reset: %q", left)
		}

		// The last subscription counts, an empty one ends it, and so does the socket's end.
		ann.receive(`{"id":5,"op":"presence","users":["bob"]}`)
		ann.shows(t, 0, `{"re":5,"ok":{"presence":[{"user":"bob","online":true}]}}`)
		ann.receive(`{"id":6,"op":"presence","users":[]}`)
		ann.shows(t, 0, `{"re":6,"ok":{"presence":[]}}`)
		if left := a.presence.Watched(ann.s.id); left != nil {
			t.Errorf("watched after the end: %q", left)
		}
		ann.receive(`{"id":7,"op":"presence","users":["bob"]}`)
		ann.took()
		ann.s.Closed("test")
		if left := a.presence.Watched(ann.s.id); left != nil {
			t.Errorf("watched by a closed socket: %q", left)
		}
	})
}

// TestPresenceBadInput holds both ways in.
func TestPresenceBadInput(t *testing.T) {
	many := strings.Repeat("u,", 100) + "u"
	r := newRig(t)
	c := r.connect("ann")
	for _, users := range []string{`null`, `"bob"`, `[7]`, `["a b"]`, `["` + strings.ReplaceAll(many, ",", `","`) + `"]`} {
		c.send(`{"id":2,"op":"presence","users":` + users + `}`)
		if f := c.recv(); f.Err == nil || f.Err.Code != "bad_request" {
			t.Errorf("%.50s: %+v", users, f)
		}
	}
	for query, want := range map[string]string{
		"": "bad_request", "?users=a%20b": "bad_request", "?users=bob,": "bad_request", "?users=" + many: "bad_request",
		"?users=": `{"presence":[]}`, "?users=bob,ann,eve": `{"presence":[{"user":"ann","online":true},{"user":"bob","online":false}]}`,
	} {
		if _, _, body := r.call("GET", "/v1/presence"+query, "", bearer("ok:ann")...); codeIn(body) != want {
			t.Errorf("%.50s: %s, want %s", query, body, want)
		}
	}
}

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, people, in := newPair(t)
		ann, ann2, bob, cid, dan := enter(t, a, "ann"), enter(t, b, "ann"), enter(t, b, "bob"), enter(t, a, "cid"), enter(t, a, "dan")
		const shown = `{"typing":{"conversation":"77","user":"ann"}}`
		typing := func(id string) {
			t.Helper()
			ann.receive(`{"id":` + id + `,"op":"typing","conversation":"77"}`)
			ann.shows(t, 0, `{"re":`+id+`,"ok":{}}`)
		}
		typing("2")
		bob.shows(t, 0, shown)
		cid.shows(t, 0, shown)
		dan.shows(t, 0)
		ann2.shows(t, 0)

		// At most one per 2 s, from whichever device on whichever node.
		typing("3")
		ann2.receive(`{"id":4,"op":"typing","conversation":"77"}`)
		bob.shows(t, time.Second)
		cid.shows(t, time.Second)
		ann2.shows(t, 0, `{"re":4,"ok":{}}`)
		typing("5")
		bob.shows(t, 0, shown)
		cid.shows(t, 0, shown)

		// Who is told is remembered for 30 s, or until a block.
		people.mu.Lock()
		if people.asked != 1 {
			t.Errorf("%d look-ups", people.asked)
		}
		people.members[77] = []string{"ann", "cid"}
		people.mu.Unlock()
		// A block between ann and bob hides him
		a.Deliver(feedengine.Delivery{
			Event: &feedengine.Event{Kind: feedengine.KindHidden, Actor: "bob"},
			To:    []feedengine.Recipient{{Session: ann.s.id, N: 8}},
		})
		ann.took()
		time.Sleep(3 * time.Second)
		typing("6")
		bob.shows(t, 0)
		cid.shows(t, 0, shown)
		// Who types over HTTP has no socket to be told of a block: the blocker's node knows.
		a.Deliver(feedengine.Delivery{
			Event: &feedengine.Event{Kind: feedengine.KindHidden, Actor: "ann"},
			To:    []feedengine.Recipient{{Session: cid.s.id, N: 8}},
		})
		cid.took()
		time.Sleep(3 * time.Second)
		typing("20")
		cid.shows(t, 0)
		a.Deliver(feedengine.Delivery{
			Event: &feedengine.Event{Kind: feedengine.KindShown, Actor: "ann"},
			To:    []feedengine.Recipient{{Session: cid.s.id, N: 9}},
		})
		cid.took()
		time.Sleep(3 * time.Second)
		typing("21")
		cid.shows(t, 0, shown)
		dan.shows(t, 0)
		people.mu.Lock()
		people.members[77] = []string{"ann"}
		people.mu.Unlock()
		time.Sleep(31 * time.Second)
		typing("7")
		cid.shows(t, 0)

		// What is not one's own is not there, and nobody is told.
		before := len(in.kinds())
		for id, conversation := range map[string]string{"8": "404", "9": "77"} {
			dan.receive(`{"id":` + id + `,"op":"typing","conversation":"` + conversation + `"}`)
			dan.shows(t, 0, `{"re":`+id+`,"error":{"code":"not_found","message":"there is no such thing, or it has been deleted","retryable":false}}`)
		}
		if strings.Contains(in.kinds()[before:], "t") {
			t.Error("a stranger's typing was published")
		}
		dan.receive(`{"id":10,"op":"typing","conversation":"x"}`)
		if frames, _ := dan.took(); len(frames) != 1 || !strings.Contains(frames[0], "bad_request") {
			t.Errorf("no id: %q", frames)
		}
	})
}

// TestForeignMessages has another node send what this one does not understand.
func TestForeignMessages(t *testing.T) {
	g := newBareGateway(t)
	defer g.Close()
	bob := enter(t, g, "bob")
	for _, msg := range []string{
		"", "p", "t", "x", "t{}", "p{}", `t{"typing":{"conversation":"77","user":"a b"},"to":["bob"]}`,
		`t{"typing":{"conversation":"-7","user":"ann"},"to":["bob"]}`, `t{"typing":7}`, `q{"typing":{"conversation":"77","user":"ann"},"to":["bob"]}`,
		`t{"typing":{"conversation":"77","user":"ann"},"to":["` + strings.Repeat(`u","`, 300) + `bob"]}`,
	} {
		g.Receive("other", []byte(msg))
	}
	if frames, _ := bob.took(); len(frames) != 0 {
		t.Errorf("shown %q", frames)
	}
	g.Receive("other", []byte(`t{"typing":{"conversation":"77","user":"ann"},"to":["bob"]}`))
	bob.wants(t, 0, `{"typing":{"conversation":"77","user":"ann"}}`)
}

// TestTypistsAreBounded has more users type than are remembered.
func TestTypistsAreBounded(t *testing.T) {
	ts, now := newTypists(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxTypists + 100 {
		ts.learn(strings.Repeat("u", 1+i%50)+time.Duration(i).String(), 77, nil, 0, now)
	}
	for i := range 100 {
		ts.learn("bob", feedengine.ID(i+1), nil, 0, now)
	}
	if len(ts.m) > maxTypists || len(ts.m["bob"]) > maxTyped {
		t.Errorf("%d users, %d conversations", len(ts.m), len(ts.m["bob"]))
	}
	ts.sweep(now.Add(membersFor + 1))
	if len(ts.m) != 0 {
		t.Errorf("%d users left", len(ts.m))
	}
	// What was looked up before a block is not remembered after it.
	_, _, gen := ts.pass("ann", 77, now)
	ts.forget("ann")
	if tell := ts.learn("ann", 77, []string{"bob"}, gen, now); len(tell) != 1 {
		t.Errorf("tell %q", tell)
	}
	if tell, known, _ := ts.pass("ann", 77, now.Add(typingEvery)); known {
		t.Errorf("remembered %q", tell)
	}
}
