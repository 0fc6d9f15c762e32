package client

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

func TestConnectAndHeartbeat(t *testing.T) {
	x := newRig(t)
	x.expect(`{"id":1,"op":"connect"}`)
	x.connected("a", 5, false, 0)
	x.get(x.event(6, x.by(0, 0)), `{"hb":6}`)
	x.expect(`{"ack":6}`)
	x.right("all is well")
	if x.book.Taken() != 1 || x.unread != 6 || x.host.attached != 1 {
		t.Errorf("%d taken, %d unread, attached %d times", x.book.Taken(), x.unread, x.host.attached)
	}
	x.get(`{"unread":{"feed":1,"notifications":0,"messages":0,"v":3}}`) // older than what the event said
	if x.unread != 6 {
		t.Errorf("a lower v counts: %d", x.unread)
	}
	x.get(`{"unread":{"feed":2,"notifications":0,"messages":0,"v":8}}`)
	if x.unread != 2 {
		t.Errorf("a higher v does not count: %d", x.unread)
	}
}

func TestAGapIsAskedForOnce(t *testing.T) {
	x := newRig(t)
	a := []int{x.by(0, 0), x.by(0, 1), x.by(0, 2), x.by(0, 3)}
	x.connected("a", 0, false, 0)
	x.get(x.event(1, a[0]))
	x.sent()
	x.get(x.event(3, a[2]))
	x.expect(`{"id":2,"op":"sync","n":1}`)
	x.get(x.event(4, a[3]))
	x.expect(``)
	x.get(`{"re":2,"ok":{}}`, x.event(2, a[1]), x.event(3, a[2]), x.event(4, a[3]))
	x.right("the gap was repaired")
	if x.n != 4 || x.book.Taken() != 4 {
		t.Errorf("at %d with %d", x.n, x.book.Taken())
	}
	x.get(`{"hb":5}`)
	x.expect(`{"ack":4} {"id":2,"op":"sync","n":4}`)
	x.get(`{"re":2,"ok":{}}`, x.event(5, x.by(0, 4)))
	x.right("what the heartbeat showed was repaired")
}

func TestAGapThatSyncDoesNotFill(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.get(x.event(2, x.by(0, 1)), `{"re":2,"ok":{}}`, x.event(2, x.by(0, 1)))
	if x.faults() != "unrepaired" || x.n != 2 {
		t.Errorf("%s, at %d", x.faults(), x.n)
	}
}

func TestNumbersThatComeTwiceOrGoBack(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.get(x.event(1, x.by(0, 0)), x.event(1, x.by(0, 0)))
	if x.faults() != "doubled" {
		t.Errorf("a number twice: %s", x.faults())
	}
	x = newRig(t)
	x.connected("a", 0, false, 0)
	x.get(x.event(1, x.by(0, 0)), x.event(1, x.by(0, 1)))
	if x.faults() != "doubled" {
		t.Errorf("two events with one number: %s", x.faults())
	}
	x = newRig(t)
	x.connected("a", 0, false, 0)
	x.get(x.event(2, x.by(0, 1)), x.event(1, x.by(0, 0)), x.event(3, x.by(0, 2)), x.event(2, x.by(0, 1)))
	if x.faults() != "swapped swapped" {
		t.Errorf("back from 3 to 2: %s", x.faults())
	}
}

func TestPostsThatAreNotAsTheyWerePublished(t *testing.T) {
	for name, frame := range map[string]func(x *rig) string{
		"another number": func(x *rig) string { return edit(x.event(1, x.by(0, 0)), " 00000007 0", " 00000007 9") },
		"another text":   func(x *rig) string { e := x.event(1, x.by(0, 0)); return edit(e, e[200:204], "zzzz") },
		"another author": func(x *rig) string { return edit(x.event(1, x.by(0, 0)), x.run.Graph.Name(0), x.run.Graph.Name(1)) },
		"no id":          func(x *rig) string { return edit(x.event(1, x.by(0, 0)), `"id":"1`, `"id":"x`) },
		"another kind":   func(x *rig) string { return edit(x.event(1, x.by(0, 0)), `"kind":"post"`, `"kind":"ghost"`) },
	} {
		x := newRig(t)
		x.connected("a", 0, false, 0)
		x.get(frame(x))
		if x.faults() != "corrupted" {
			t.Errorf("%s: %q", name, x.faults())
		}
	}
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.get(x.event(1, x.by(0, 0)), edit(x.event(2, x.by(0, 0)), `"id":"1`, `"id":"2`))
	if x.faults() != "corrupted" {
		t.Errorf("one post with two ids: %q", x.faults())
	}
}

// edit replaces something that must be there.
func edit(s, old, with string) string {
	for i := range s {
		if len(s[i:]) >= len(old) && s[i:i+len(old)] == old {
			return s[:i] + with + s[i+len(old):]
		}
	}
	panic(fmt.Sprintf("no %q in %s", old, s))
}

func TestSomebodyWhoIsNotFollowed(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	for author := range uint32(12) {
		if author != 3 && !x.run.Graph.Follows(3, author) {
			x.get(x.event(1, x.by(author, 0)))
			if x.faults() != "unexpected" {
				t.Errorf("%q", x.faults())
			}
			return
		}
	}
	t.Fatal("user 3 follows everybody")
}

func TestResume(t *testing.T) {
	x := newRig(t)
	a := []int{x.by(0, 0), x.by(0, 1), x.by(0, 2)}
	x.connected("a", 0, false, 0)
	x.get(x.event(1, a[0]))
	x.drop(lean.End{Err: lean.ErrDropped})
	x.dial()
	x.expect(`{"id":1,"op":"connect","resume":{"stream":"a","n":1}}`)
	x.connected("a", 3, true, 2)
	x.get(x.event(2, a[1]), x.event(3, a[2]))
	x.right("resumed")
	if x.n != 3 || x.book.Taken() != 3 {
		t.Errorf("at %d with %d", x.n, x.book.Taken())
	}
	x.drop(lean.End{Err: lean.ErrDropped})
	x.dial()
	x.connected("a", 4, true, 0)
	if x.faults() != "wrong_resume" {
		t.Errorf("resumed at 4 with none to follow: %q", x.faults())
	}
	x = newRig(t)
	x.connected("a", 4, true, 0)
	if x.faults() != "wrong_resume" {
		t.Errorf("resumed without having asked: %q", x.faults())
	}
}

func TestAResetIsFilledByPages(t *testing.T) {
	x := newRig(t)
	a := []int{x.by(0, 0), x.by(0, 1), x.by(0, 2), x.by(0, 3), x.by(0, 4)}
	x.connected("a", 0, false, 0)
	x.get(x.event(1, a[0]))
	x.sent()
	x.get(`{"reset":{"stream":"b","n":7,"reason":"view_rebuilt"},"unread":{"feed":3,"notifications":0,"messages":0,"v":1}}`)
	x.expect(`{"id":101,"op":"feed","limit":100}`)
	if x.unread != 3 || x.stream != "b" || x.n != 7 {
		t.Errorf("after the reset: %d unread, %s %d", x.unread, x.stream, x.n)
	}
	// What comes meanwhile waits behind the pages, which may have it too.
	x.get(x.event(8, a[3]))
	if x.book.Taken() != 1 {
		t.Errorf("%d taken before the page", x.book.Taken())
	}
	x.get(x.page(1, "55", a[3], a[2]))
	x.expect(`{"id":101,"op":"feed","before":"55","limit":100}`)
	x.get(x.page(1, "", a[1], a[0]), x.event(9, a[4]))
	x.right("filled")
	if x.book.Taken() != 5 || x.n != 9 || !x.Settled() {
		t.Errorf("%d taken, at %d, settled %v", x.book.Taken(), x.n, x.Settled())
	}
}

func TestAResetWhilePagesAreUnderWayBeginsAnew(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	reset := `{"reset":{"stream":"b","n":7,"reason":"slow_consumer"},"unread":{"feed":3,"notifications":0,"messages":0,"v":1}}`
	x.get(reset)
	x.sent()
	x.get(reset)
	x.expect(`{"id":102,"op":"feed","limit":100}`)
	x.get(x.page(1, "", x.by(0, 0))) // from before the second reset: too old
	if x.book.Taken() != 0 {
		t.Error("an old page was taken")
	}
	x.drop(lean.End{Err: lean.ErrDropped})
	x.dial()
	x.sent()
	x.connected("b", 7, true, 0)
	x.expect(`{"id":102,"op":"feed","limit":100}`)
	x.get(x.page(2, "", x.by(0, 0)))
	x.right("filled on the next socket")
	if x.book.Taken() != 1 {
		t.Errorf("%d taken", x.book.Taken())
	}
}

func TestAnotherStreamAfterReconnectIsAReset(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.drop(lean.End{Err: lean.ErrDropped})
	x.dial()
	x.sent()
	x.connected("c", 2, false, 0)
	x.expect(`{"id":101,"op":"feed","limit":100}`)
	if x.Settled() {
		t.Error("it is settled before it has the page")
	}
}

func TestWhenToComeBack(t *testing.T) {
	bye := `{"bye":{"code":4200,"reason":"draining","retry_ms":500,"spread_ms":5000}}`
	for name, c := range map[string]struct {
		end      lean.End
		bye      bool
		min, max time.Duration
	}{
		"our own drop":   {lean.End{Err: lean.ErrDropped}, false, 0, 0},
		"draining":       {lean.End{Code: 4200}, true, 500 * time.Millisecond, 5500 * time.Millisecond},
		"slow":           {lean.End{Code: 4102}, false, 250 * time.Millisecond, 500 * time.Millisecond},
		"refused by 503": {lean.End{Err: &lean.RefusedError{Status: 503, RetryAfter: "7"}}, false, 7 * time.Second, 8 * time.Second},
		"refused by 401": {lean.End{Err: &lean.RefusedError{Status: 401}}, false, -1, -1},
		"revoked":        {lean.End{Code: 4503}, false, -1, -1},
		"no close":       {lean.End{Err: lean.ErrGone}, false, 250 * time.Millisecond, 500 * time.Millisecond},
		"no such port":   {lean.End{Err: errors.New("ECONNREFUSED")}, false, 250 * time.Millisecond, 500 * time.Millisecond},
	} {
		x := newRig(t)
		x.connected("a", 0, false, 0)
		if c.bye {
			x.get(bye)
		}
		x.drop(c.end)
		if len(x.host.lost) != 1 || x.host.lost[0] < c.min || x.host.lost[0] > c.max {
			t.Errorf("%s: after %v, want %v to %v", name, x.host.lost, c.min, c.max)
		}
		if bad := x.faults() != ""; bad != (c.min < 0) {
			t.Errorf("%s: %q", name, x.faults())
		}
	}
}

func TestReadMarks(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	number := x.by(0, 0)
	x.get(x.event(1, number))
	x.sent()
	if !x.Read() || x.Read() {
		t.Error("one read at a time")
	}
	x.expect(fmt.Sprintf(`{"id":5,"op":"read","of":"feed","upto":"%d"}`, 1000+number))
	x.get(`{"re":5,"error":{"code":"unavailable","message":"later","retryable":true}}`)
	x.later0()
	x.Look()
	x.expect(fmt.Sprintf(`{"id":5,"op":"read","of":"feed","upto":"%d"}`, 1000+number))
	x.get(fmt.Sprintf(`{"n":2,"event":{"type":"read","of":"feed","upto":"%d"}}`, 1000+number),
		fmt.Sprintf(`{"re":5,"ok":{"unread":{"feed":0,"notifications":0,"messages":0,"v":9},"upto":"%d"}}`, 1000+number))
	x.right("read")
	if x.book.Mark != int64(1000+number) || x.unread != 0 {
		t.Errorf("the mark is %d, %d unread", x.book.Mark, x.unread)
	}
	x.get(`{"n":3,"event":{"type":"read","of":"feed","upto":"999999"}}`)
	if x.faults() != "wrong_mark" {
		t.Errorf("a mark that nobody set: %q", x.faults())
	}
}

func TestAReadMarkThatIsNotWhereItWasPut(t *testing.T) {
	for _, off := range []int{-1, 1} {
		x := newRig(t)
		x.connected("a", 0, false, 0)
		number := x.by(0, 0)
		x.get(x.event(1, number))
		x.Read()
		x.get(fmt.Sprintf(`{"re":5,"ok":{"unread":{"feed":0,"notifications":0,"messages":0,"v":9},"upto":"%d"}}`, 1000+number+off))
		if x.faults() != "wrong_mark" {
			t.Errorf("off by %d: %q", off, x.faults())
		}
	}
}

// later0 lets the time pass that a refusal asked for.
func (x *rig) later0() { x.task.later = 0 }

func TestPagesWaitUntilItIsKnownWhomOneFollows(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.sent()
	if !x.Unfollow(0, meter.Now()) {
		t.Fatal("it cannot unfollow")
	}
	x.sent()
	x.get(`{"reset":{"stream":"b","n":0,"reason":"view_rebuilt"},"unread":{"feed":0,"notifications":0,"messages":0,"v":1}}`)
	x.expect(``)
	x.get(`{"re":7,"ok":{}}`)
	x.expect(`{"id":101,"op":"feed","limit":100}`)
	x.get(x.page(1, "", x.by(0, 0))) // user 0 is whom it unfollowed
	if x.book.Taken() != 0 {
		t.Error("a page brought what is not followed")
	}
	if !x.Follow() {
		t.Fatal("it cannot follow")
	}
	x.expect(fmt.Sprintf(`{"id":6,"op":"follow","user":%q}`, x.run.Graph.Name(0)))
	x.get(`{"re":6,"ok":{"since":"1500"}}`)
	x.right("followed again")
	if !x.Settled() {
		t.Error("it is not settled")
	}
}

func TestPublish(t *testing.T) {
	x := newRig(t)
	if x.Publish(4, "text") {
		t.Error("it published before it was attached")
	}
	x.connected("a", 0, false, 0)
	x.sent()
	x.Publish(4, "text")
	x.expect(`{"id":1004,"op":"publish","text":"text","key":"lg-00000007-4"}`)
	x.get(`{"re":1004,"ok":{"post":{"id":"77"}}}`, `{"re":1005,"error":{"code":"overloaded","message":"later","retryable":true,"retry_ms":5}}`)
	if x.host.published[4] != 77 || x.host.refused[5] != "overloaded" {
		t.Errorf("%v, %v", x.host.published, x.host.refused)
	}
	x.right("published")
}

func TestWhatTheProtocolDoesNotHave(t *testing.T) {
	for _, frame := range []string{`{`, `{}`, `[]`, `{"re":99,"ok":{}}`, `{"re":5,"error":{"code":"forbidden","message":"no"}}`, `{"n":1,"event":{}}`,
		`{"n":1,"event":{"type":"post_deleted","post":"5"}}`, `{"n":1,"event":{"type":"post","text":"hello"}}`,
		`{"reset":{"stream":"b","n":0,"reason":"x"}}`} {
		x := newRig(t)
		x.connected("a", 0, false, 0)
		x.get(frame)
		if x.faults() == "" {
			t.Errorf("%s: nothing", frame)
		}
	}
	x := newRig(t)
	x.get(x.event(1, x.by(0, 0)))
	if x.faults() != "protocol" {
		t.Errorf("an event before connect's answer: %q", x.faults())
	}
	x = newRig(t)
	x.connected("a", 0, false, 0)
	x.get(`{"n":1,"event":{"type":"poem"}}`, `{"n":2,"event":{"type":"void"}}`)
	x.right("types that we do not know")
}

func TestADeadLineIsDropped(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	x.Look()
	if x.line.drops != 0 {
		t.Error("a line that lives was dropped")
	}
	x.heard -= deadAfter + 1
	x.Look()
	if x.line.drops != 1 {
		t.Error("a dead line was not dropped")
	}
	x = newRig(t)
	x.connected("a", 0, false, 0)
	x.Page()
	x.asked -= answerAfter + 1
	x.Look()
	if x.line.drops != 1 {
		t.Error("a request without an answer was waited for")
	}
}

func TestVerify(t *testing.T) {
	x := newRig(t)
	x.connected("a", 0, false, 0)
	number := x.by(0, 0)
	x.get(edit(x.event(1, number), `"feed":1`, `"feed":1`))
	truth, err := ledger.NewTruth([]ledger.Post{{Number: number, Author: 0, ID: int64(1000 + number), Acked: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !x.Whole(truth, 0) {
		t.Error("it is not whole")
	}
	x.sent()
	x.Inquire()
	x.expect(`{"id":4,"op":"unread"}`)
	x.get(`{"re":4,"ok":{"unread":{"feed":1,"notifications":0,"messages":0,"v":5},"conversations":{}}}`)
	if !x.Answered() {
		t.Error("it waits for more")
	}
	if expected, taken := x.Verify(truth, 0); expected != 1 || taken != 1 {
		t.Errorf("%d of %d", taken, expected)
	}
	x.right("verified")
	for _, counters := range []string{`{"feed":0,"notifications":0,"messages":0,"v":6}`, `{"feed":2,"notifications":0,"messages":0,"v":6}`} {
		x.get(`{"unread":` + counters + `}`)
		if x.Whole(truth, 0) {
			t.Errorf("it is whole with %s", counters)
		}
	}
	x.Verify(truth, 0)
	if x.faults() != "miscounted" {
		t.Errorf("%q", x.faults())
	}
}

// BenchmarkClient tells what a client holds, beside its connection, that is attached
// and has had posts of eight authors.
func BenchmarkClient(b *testing.B) {
	const n = 20_000
	clients := make([]*Client, n)
	r := &Run{}
	before := heap()
	for i := range clients {
		c := New(r, uint32(i))
		c.state, c.met, c.stream, c.line = attached, true, fmt.Sprintf("%016x", i), &lean.Conn{}
		for author := range uint32(8) {
			c.book.Event(author, 5, 0)
		}
		clients[i] = c
	}
	after := heap()
	for b.Loop() { // nothing: memory is no matter of time
	}
	b.ReportMetric(float64(after-before)/n, "bytes/client")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(clients)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
