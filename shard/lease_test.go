package shard

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease()
		expect := func(what string, want bool) {
			t.Helper()
			if l.holds() != want {
				t.Errorf("%s: holds is %v", what, !want)
			}
		}
		expect("before the first beat", false)
		if !l.renew(time.Now()) {
			t.Error("the first beat wants a confirmation")
		}
		expect("after a beat", true)
		time.Sleep(LeaseTime - 1)
		expect("at its end", true)
		if !l.renew(time.Now().Add(-time.Second)) { // a beat that took a second
			t.Error("renewed in time, but not taken")
		}
		time.Sleep(2 * time.Second)
		expect("two seconds after a beat that took one", false)
		if l.renew(time.Now()) {
			t.Error("a lapse was forgiven")
		}
		expect("after a lapse", false)
		lapses := l.lapsed()
		time.Sleep(LeaseTime)
		l.renew(time.Now()) // still not confirmed: not another lapse
		l.confirm(lapses)
		expect("confirmed", true)
		time.Sleep(LeaseTime)
		l.renew(time.Now())
		l.confirm(lapses)
		expect("confirmed before the last lapse", false)
		l.confirm(l.lapsed())
		expect("confirmed after it", true)
		l.renew(time.Now().Add(-time.Hour))
		expect("after an old beat", true)
	})
}

// A frozen owner serves nothing before it has confirmed that its shards are its
// own, and then only those that are.
func TestHostFrozenPastItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, func(o *Options) { o.Cluster, o.Confirm = true, time.Hour })
		defer h.host.Stop(context.Background())
		kept, taken := userOf(1, 4), userOf(2, 4)
		h.open(1)
		h.open(2)
		h.must(kept, feedengine.Follow{Users: []string{taken}})
		h.must(taken, feedengine.Publish{Text: "x", Kind: "post"})

		time.Sleep(LeaseTime) // frozen
		h.store.mu.Lock()
		h.store.claim(2)
		h.store.mu.Unlock()
		for _, do := range []feedengine.Action{feedengine.Unread{}, feedengine.Attach{Session: 1}, feedengine.Publish{Text: "y", Kind: "post"}} {
			for _, user := range []string{kept, taken} {
				if r := h.do(user, do); r.Err != feedengine.ErrElsewhere {
					t.Errorf("%T of %s after the lease: %+v", do, user, r)
				}
			}
		}
		if h.host.Rejoin(0, 1, feedengine.RejoinInput{}) {
			t.Error("took a rejoin after the lease")
		}
		if h.host.Renew(time.Now()) {
			t.Error("the lapse was forgiven")
		}
		if r := h.do(kept, feedengine.Unread{}); r.Err != feedengine.ErrElsewhere {
			t.Errorf("served without a confirmation: %+v", r)
		}
		h.store.setFail(func(string) fault { return faultUnavailable })
		if err := h.host.Confirm(context.Background()); err == nil {
			t.Error("confirmed with storage away")
		}
		if r := h.do(kept, feedengine.Unread{}); r.Err != feedengine.ErrElsewhere {
			t.Errorf("served without a confirmation: %+v", r)
		}
		h.store.setFail(nil)
		if err := h.host.Confirm(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r := h.do(kept, feedengine.Unread{}); r.Err != nil || r.Counts.Feed != 1 {
			t.Errorf("the shard that is still its own: %+v", r)
		}
		if r := h.do(taken, feedengine.Unread{}); r.Err != feedengine.ErrElsewhere {
			t.Errorf("the shard that was taken: %+v", r)
		}
		if s := h.host.Served(); len(s) != 1 || s[0].Shard != 1 {
			t.Errorf("serves %+v", s)
		}
	})
}
