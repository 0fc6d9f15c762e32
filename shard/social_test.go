package shard

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/storefake"
)

// forum is a host over a database that knows all there is beside feeds.
type forum struct {
	t    *testing.T
	db   *storefake.Store
	host *Host
}

func inForum(t *testing.T, test func(w *forum)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(feedengine.IDEpoch.Add(24 * time.Hour))) // a bubble begins in the year 2000
		w := &forum{t: t, db: storefake.New(8)}
		host, err := NewHost(context.Background(), Options{Node: "test", Store: w.db, Outlet: &devices{by: map[feedengine.SessionID]*device{}},
			Metrics: metrics.NewSet(), Ring: 1024, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		w.host = host
		defer host.Stop(context.Background())
		test(w)
		if err := host.Check(); err != nil {
			t.Error(err)
		}
		if d := w.db.Defects(); len(d) > 0 {
			t.Error(d)
		}
		if err := w.db.Audit(); err != nil {
			t.Error(err)
		}
	})
}

func (w *forum) ask(key, user string, do feedengine.Action) <-chan feedengine.Result {
	got := make(chan feedengine.Result, 1)
	w.host.SubmitFrom(0, key, feedengine.Request{User: user, Do: do, Done: func(r feedengine.Result) { got <- r }})
	return got
}

func (w *forum) must(user string, do feedengine.Action) feedengine.Result {
	w.t.Helper()
	r := <-w.ask("", user, do)
	if r.Err != nil {
		w.t.Fatalf("%s: %+v: %v", user, do, r.Err)
	}
	return r
}

func (w *forum) refused(user string, do feedengine.Action, want feedengine.Code) *feedengine.Error {
	w.t.Helper()
	r := <-w.ask("", user, do)
	if r.Err == nil || r.Err.Code != want {
		w.t.Errorf("%s: %T %+v: %+v, want %s", user, do, do, r, want)
		return nil
	}
	return r.Err
}

func (w *forum) publish(user, text string) *feedengine.Post {
	w.t.Helper()
	return w.must(user, feedengine.Publish{Text: text, Kind: feedengine.KindOfPost}).Post
}

// last is the newest event of a shard's log.
func (w *forum) last(shard feedengine.ShardID) *feedengine.Event {
	log := w.db.Log(shard)
	return log[len(log)-1]
}

// events are how many there are in all logs.
func (w *forum) events() (n int) {
	for shard := range feedengine.ShardID(8) {
		n += len(w.db.Log(shard))
	}
	return n
}

// counts are a user's counters, which have to be what the facts say.
func (w *forum) counts(user string) feedengine.Counts {
	w.t.Helper()
	r := w.must(user, feedengine.Unread{})
	f := w.db.Facts(user)
	total := 0
	for i, c := range f.Chats {
		total += c.Total
		if i >= len(r.Chats) || r.Chats[i] != (feedengine.ChatCount{Conversation: c.Conversation, Unread: uint32(c.Total)}) {
			w.t.Errorf("%s has unread %v by conversation, the facts say %+v", user, r.Chats, f.Chats)
			break
		}
	}
	if c := r.Counts; int(c.Feed) != f.Feed.Total || int(c.Notifications) != f.Notes.Total || int(c.Messages) != total || len(r.Chats) != len(f.Chats) {
		w.t.Errorf("%s has %+v %v, the facts say %d, %d, %d", user, c, r.Chats, f.Feed.Total, f.Notes.Total, total)
	}
	return r.Counts
}

func TestMentions(t *testing.T) {
	many, want := "", []string(nil)
	for i := range 30 {
		many += fmt.Sprintf("@u%d ", i)
		if i < maxMentions {
			want = append(want, fmt.Sprintf("u%d", i))
		}
	}
	long := strings.Repeat("x", feedengine.MaxUserBytes)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"nobody", nil},
		{"@", nil},
		{"", nil},
		{"@bob", []string{"bob"}},
		{"hi @bob, (@carol) and @bob again", []string{"bob", "carol"}},
		{"@bob. @carol: @dave- @e_", []string{"bob", "carol", "dave", "e"}},
		{"@b.o-b_1:2 !", []string{"b.o-b_1:2"}},
		{"mail a@example.org or é@bob or 1@bob", nil},
		{"@bob@example.org", []string{"bob@example.org"}},
		{"_@bob .@carol", []string{"bob", "carol"}},
		{"@me and @you", []string{"you"}},
		{"@...", nil},
		{"@bobé", []string{"bob"}},
		{"\xff@bob", []string{"bob"}},
		{"@" + long, []string{long}},
		{"@" + long + "y", nil},
		{many, want},
	} {
		if got := mentions("me", c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q mentions %q, want %q", c.text, got, c.want)
		}
	}
}

func TestPostsMention(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "hi @bob and @alice")
		if ev := w.last(post.ID.Shard()); !slices.Equal(ev.Users, []string{"bob"}) {
			t.Errorf("%+v", ev)
		}
		if c := w.counts("bob"); c.Notifications != 1 {
			t.Errorf("bob has %+v", c)
		}
		// Only followers are told of what only they may see.
		w.must("carol", feedengine.Follow{Users: []string{"alice"}})
		private := feedengine.Publish{Text: "hi @bob and @carol", Kind: feedengine.KindOfPost, More: &feedengine.More{Followers: true}}
		w.must("alice", private)
		if ev := w.last(post.ID.Shard()); !slices.Equal(ev.Users, []string{"carol"}) || !ev.Post.Followers() {
			t.Errorf("%+v", ev)
		}
	})
}

func TestJobsAlert(t *testing.T) {
	inForum(t, func(w *forum) {
		search := feedengine.Search{ID: 1, Query: feedengine.JobQuery{Text: "cook"}}
		for _, user := range []string{"bob", "acme"} {
			if err := w.db.SaveSearch(t.Context(), user, search); err != nil {
				t.Fatal(err)
			}
		}
		job := feedengine.Publish{Text: "with us", Kind: feedengine.KindOfJob, Key: "k", More: &feedengine.More{Job: &feedengine.Job{Title: "Cook"}}}
		post := w.must("acme", job).Post
		if ev := w.last(post.ID.Shard()); !slices.Equal(ev.Post.More.Alerts, []string{"bob"}) {
			t.Errorf("%+v", ev.Post.More)
		}
		if again := w.must("acme", job).Post; again.ID != post.ID {
			t.Errorf("again: %+v", again)
		}
		if c := w.counts("bob"); c.Notifications != 1 {
			t.Errorf("bob has %+v", c)
		}
		job.Key, job.More = "", &feedengine.More{Job: job.More.Job, Followers: true}
		asked := w.db.Count("alerts")
		w.must("acme", job)
		if c := w.counts("bob"); c.Notifications != 1 || w.db.Count("alerts") != asked {
			t.Errorf("told of what is not public: %+v", c)
		}
	})
}

// TestNamesAreReadOnce: and follow the profile from then on.
func TestNamesAreReadOnce(t *testing.T) {
	inForum(t, func(w *forum) {
		w.must("alice", feedengine.PutProfile{Profile: feedengine.Profile{Name: "Alice"}})
		shard := w.host.shardOf("alice")
		for range 3 {
			w.publish("alice", "x")
			if ev := w.last(shard); ev.Name != "Alice" {
				t.Errorf("%+v", ev)
			}
		}
		if n := w.db.Count("name"); n != 1 {
			t.Errorf("read %d times", n)
		}
		w.must("alice", feedengine.PutProfile{Profile: feedengine.Profile{Name: "Al"}})
		w.publish("alice", "x")
		if ev := w.last(shard); ev.Name != "Al" || w.db.Count("name") != 1 {
			t.Errorf("%+v, read %d times", ev, w.db.Count("name"))
		}
		w.must("bob", feedengine.Unread{}) // resident: its view knows
		w.publish("bob", "x")
		if n := w.db.Count("name"); n != 1 {
			t.Errorf("read %d times", n)
		}
	})
}

// TestPostsKeepTheirOrder: also those of which the first waits for a name.
func TestPostsKeepTheirOrder(t *testing.T) {
	inForum(t, func(w *forum) {
		var got []<-chan feedengine.Result
		w.publish("bob", "whose name is known from now on")
		w.db.Slow = func(string) time.Duration { return 10 * time.Millisecond }
		for i := range 40 {
			user := "alice"
			if i >= 20 {
				user = "bob"
			}
			do := feedengine.Publish{Text: fmt.Sprint(i), Kind: feedengine.KindOfPost}
			if i%7 == 3 {
				do.Text, do.More = do.Text+" @carol", &feedengine.More{Followers: true}
			}
			got = append(got, w.ask("", user, do))
		}
		last := map[string]feedengine.ID{}
		for i, c := range got {
			r := <-c
			if r.Err != nil || r.Post.ID <= last[r.Post.Author] {
				t.Fatalf("%d: %+v after %v", i, r, last)
			}
			last[r.Post.Author] = r.Post.ID
		}
	})
}

func TestLikes(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "x")
		like, unlike := feedengine.LikePost{Post: post.ID}, feedengine.LikePost{Post: post.ID, Off: true}
		fact := func() feedengine.Like { return *w.last(post.ID.Shard()).Fact.(*feedengine.Like) }
		want := func(r feedengine.Result, likes int, f feedengine.Like) {
			t.Helper()
			f.Post, f.Owner, f.Likes = post.ID, "alice", likes
			if got := fact(); r.Likes != likes || fmt.Sprint(got) != fmt.Sprint(f) {
				t.Errorf("%d likes, %+v; want %d, %+v", r.Likes, got, likes, f)
			}
		}
		want(w.must("alice", like), 1, feedengine.Like{})
		r := w.must("bob", like)
		first := w.last(post.ID.Shard()).ID
		want(r, 2, feedengine.Like{Note: first, Edge: true, Count: 1, Others: []string{"bob"}})
		for i, user := range []string{"carol", "dave", "eve"} {
			others := []string{"eve", "dave", "carol", "bob"}[2-i:]
			want(w.must(user, like), 3+i, feedengine.Like{Note: first, Count: 2 + i, Others: others[:min(3, len(others))]})
		}
		n := w.events()
		if r := w.must("eve", like); r.Likes != 5 {
			t.Errorf("again: %+v", r)
		}
		if r := w.must("nobody", unlike); r.Likes != 5 {
			t.Errorf("not liked: %+v", r)
		}
		if w.events() != n {
			t.Error("what changes nothing has made an event")
		}
		if c := w.counts("alice"); c.Notifications != 1 {
			t.Errorf("alice has %+v", c)
		}

		// An hour after the first, another one begins.
		time.Sleep(time.Hour + time.Second)
		r = w.must("frank", like)
		second := w.last(post.ID.Shard()).ID
		want(r, 6, feedengine.Like{Note: second, Edge: true, Count: 1, Others: []string{"frank"}})
		want(w.must("carol", unlike), 5, feedengine.Like{Note: first, Count: 3, Others: []string{"eve", "dave", "bob"}})
		want(w.must("frank", unlike), 4, feedengine.Like{Note: second, Edge: true})
		if c := w.counts("alice"); c.Notifications != 1 {
			t.Errorf("alice has %+v", c)
		}
		want(w.must("alice", unlike), 3, feedengine.Like{})
		for _, user := range []string{"bob", "dave", "eve"} {
			w.must(user, unlike)
		}
		if c := w.counts("alice"); c.Notifications != 0 {
			t.Errorf("alice has %+v", c)
		}
	})
}

// TestLikesAtOnce: however many come at a time, none is lost or counted twice.
func TestLikesAtOnce(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "x")
		var got []<-chan feedengine.Result
		for i := range 60 {
			got = append(got, w.ask("", fmt.Sprint("u", i/2), feedengine.LikePost{Post: post.ID}))
		}
		for _, c := range got {
			if r := <-c; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if r := w.must("alice", feedengine.LikePost{Post: post.ID, Off: true}); r.Likes != 30 {
			t.Errorf("%d likes", r.Likes)
		}
		if c := w.counts("alice"); c.Notifications != 1 {
			t.Errorf("alice has %+v", c)
		}
	})
}

func TestComments(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "x")
		do := feedengine.AddComment{Post: post.ID, Text: "hi @carol @alice @bob", Key: "k"}
		c := w.must("bob", do).Comment
		if c.Post != post.ID || c.Author != "bob" || c.Owner != "alice" || c.Text != do.Text {
			t.Errorf("%+v", c)
		}
		if ev := w.last(post.ID.Shard()); ev.ID != c.ID || !slices.Equal(ev.Users, []string{"carol"}) {
			t.Errorf("%+v", ev)
		}
		if again := w.must("bob", do).Comment; *again != *c {
			t.Errorf("again: %+v", again)
		}
		do.Text = "other"
		w.refused("bob", do, feedengine.Conflict)
		for _, user := range []string{"alice", "carol"} {
			if c := w.counts(user); c.Notifications != 1 {
				t.Errorf("%s has %+v", user, c)
			}
		}
		// Nobody keeps what is about a post that is gone, and a comment that was made
		// stays made.
		do.Text, do.Key = "by an internal key", ""
		first := <-w.ask("internal", "dave", do)
		w.must("alice", feedengine.Delete{Post: post.ID})
		if again := <-w.ask("internal", "dave", do); again.Err != nil || again.Comment.ID != first.Comment.ID || again.Comment.Text != do.Text {
			t.Errorf("%+v, then %+v", first, again)
		}
		w.refused("dave", do, feedengine.NotFound)
		for _, user := range []string{"alice", "carol"} {
			if c := w.counts(user); c.Notifications != 0 {
				t.Errorf("%s has %+v", user, c)
			}
		}
	})
}

// TestMentionsBesideABlock: who may not see a post is not told of it by others either.
func TestMentionsBesideABlock(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "x")
		w.must("alice", feedengine.HideUser{User: "carol", Kind: feedengine.HideBlock})
		w.must("dave", feedengine.HideUser{User: "alice", Kind: feedengine.HideBlock})
		w.must("erin", feedengine.HideUser{User: "alice", Kind: feedengine.HideMute})
		w.must("bob", feedengine.AddComment{Post: post.ID, Text: "hi @carol @dave @erin @frank"})
		if ev := w.last(post.ID.Shard()); !slices.Equal(ev.Users, []string{"erin", "frank"}) {
			t.Errorf("told: %q", ev.Users)
		}
		for user, want := range map[string]uint32{"alice": 1, "carol": 0, "dave": 0, "erin": 1, "frank": 1} {
			if c := w.counts(user); c.Notifications != want {
				t.Errorf("%s has %+v", user, c)
			}
		}
	})
}

// stands is where a user's stream stands.
func (w *forum) stands(user string, session feedengine.SessionID) uint64 {
	w.t.Helper()
	n := w.must(user, feedengine.Attach{Session: session}).N
	w.must(user, feedengine.Detach{Session: session})
	return n
}

// TestDeletionIsNotTold: who was mentioned in a post and never saw it, for a block or a
// mute, hears nothing of its end either.
func TestDeletionIsNotTold(t *testing.T) {
	inForum(t, func(w *forum) {
		w.must("alice", feedengine.HideUser{User: "carol", Kind: feedengine.HideBlock})
		w.must("dave", feedengine.HideUser{User: "alice", Kind: feedengine.HideMute})
		post := w.publish("alice", "hi @carol @dave @erin")
		want := map[string]uint64{"carol": 0, "dave": 0, "erin": 1}
		before := map[string]uint64{}
		for user := range want {
			before[user] = w.stands(user, 1)
		}
		w.must("alice", feedengine.Delete{Post: post.ID})
		synctest.Wait()
		for user, events := range want {
			if n := w.stands(user, 2) - before[user]; n != events {
				t.Errorf("%s was told %d events, want %d", user, n, events)
			}
			w.counts(user)
		}
	})
}

// TestMarkBelowAnothers: a conversation's mark that moves is told, though that of
// another conversation is above it.
func TestMarkBelowAnothers(t *testing.T) {
	inForum(t, func(w *forum) {
		send := func(from string, to ...string) *feedengine.Message {
			return w.must(from, feedengine.Send{To: to, Text: "x"}).Message
		}
		w.stands("alice", 1)
		own := send("alice", "bob", "carol")
		pair := send("bob", "alice")
		w.must("alice", feedengine.Read{Of: feedengine.ListMessages, Conversation: pair.Conversation, Upto: feedengine.MaxID})
		send("bob", "alice", "carol")
		synctest.Wait()
		before := w.stands("alice", 2)
		if r := w.must("alice", feedengine.Read{Of: feedengine.ListMessages, Conversation: own.Conversation, Upto: own.ID}); r.Upto != own.ID || r.Counts.Messages != 1 {
			t.Errorf("%+v", r)
		}
		if n := w.stands("alice", 3) - before; n != 1 {
			t.Errorf("%d events", n)
		}
		w.counts("alice")
	})
}

// TestDeletionFindsWhoIsBeingTold: comments and the deletion of their post at once.
func TestDeletionFindsWhoIsBeingTold(t *testing.T) {
	inForum(t, func(w *forum) {
		post := w.publish("alice", "x")
		w.counts("carol") // resident
		w.db.Slow = func(call string) time.Duration {
			if call == "append" {
				return 50 * time.Millisecond
			}
			return time.Millisecond
		}
		var got []<-chan feedengine.Result
		for i := range 6 {
			got = append(got, w.ask("", "bob", feedengine.AddComment{Post: post.ID, Text: "@carol"}))
			if i == 2 {
				got = append(got, w.ask("", "alice", feedengine.Delete{Post: post.ID}))
			}
		}
		for i, c := range got {
			if r := <-c; (r.Err == nil) != (i <= 3) {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if c := w.counts("carol"); c.Notifications != 0 {
			t.Errorf("carol has %+v", c)
		}
	})
}

func TestEdits(t *testing.T) {
	inForum(t, func(w *forum) {
		text, followers := "new", true
		post := w.publish("alice", "x")
		w.must("bob", feedengine.LikePost{Post: post.ID})
		edit := feedengine.Edit{Post: post.ID, Text: &text, Media: &[]feedengine.Media{{URL: "https://x"}}}
		p := w.must("alice", edit).Post
		ev := w.last(post.ID.Shard())
		if p.ID != post.ID || p.Text != text || p.Likes != 1 || len(p.More.Media) != 1 || p.More.Edited != ev.ID || ev.ID <= post.ID || ev.Post.ID != post.ID {
			t.Errorf("%+v %+v, %+v", p, p.More, ev)
		}
		n := w.events()
		if again := w.must("alice", edit).Post; again.More.Edited != ev.ID || w.events() != n {
			t.Errorf("again: %+v", again)
		}
		w.refused("bob", edit, feedengine.Forbidden)
		w.refused("alice", feedengine.Edit{Post: post.ID, Job: &feedengine.Job{Title: "t"}}, feedengine.BadRequest)
		p = w.must("alice", feedengine.Edit{Post: post.ID, Followers: &followers}).Post
		if !p.Followers() || p.Text != text || len(p.More.Media) != 1 {
			t.Errorf("%+v", p)
		}
		w.refused("bob", edit, feedengine.NotFound)
		w.refused("bob", feedengine.LikePost{Post: post.ID}, feedengine.NotFound)
	})
}

func TestMessages(t *testing.T) {
	inForum(t, func(w *forum) {
		send := func(user string, do feedengine.Send) *feedengine.Message {
			t.Helper()
			return w.must(user, do).Message
		}
		first := send("alice", feedengine.Send{To: []string{"bob"}, Text: "hi"})
		if first.ID != first.Conversation || !first.Opens || first.From != "alice" {
			t.Errorf("%+v", first)
		}
		back := send("bob", feedengine.Send{To: []string{"alice", "bob"}, Text: "ho", Reply: first.ID})
		if back.Conversation != first.Conversation || back.Opens || back.ID <= first.ID || back.Reply != first.ID {
			t.Errorf("%+v", back)
		}
		if ev := w.last(first.ID.Shard()); ev.ID != back.ID || !slices.Equal(ev.Users, []string{"alice", "bob"}) {
			t.Errorf("%+v", ev)
		}
		keyed := feedengine.Send{Conversation: first.Conversation, Text: "once", Key: "k"}
		if a, b := send("bob", keyed), send("bob", keyed); a.ID != b.ID || b.Conversation != first.Conversation || b.Opens {
			t.Errorf("%+v and %+v", a, b)
		}
		if c := w.counts("alice"); c.Messages != 2 {
			t.Errorf("alice has %+v", c)
		}

		// Two who begin at once have one conversation.
		var got []<-chan feedengine.Result
		for _, user := range []string{"x", "y", "z"} {
			got = append(got, w.ask("", user, feedengine.Send{To: []string{"x", "y", "z"}, Text: "at once"}))
		}
		talks := map[feedengine.ID]bool{}
		for _, c := range got {
			talks[(<-c).Message.Conversation] = true
		}
		if len(talks) != 1 {
			t.Errorf("conversations %v", talks)
		}

		// Read, and all devices and the sender's are told.
		r := w.must("alice", feedengine.Read{Of: feedengine.ListMessages, Conversation: first.Conversation, Upto: back.ID})
		if r.Upto != back.ID || r.Counts.Messages != 1 || r.Stream == 0 {
			t.Errorf("%+v", r)
		}
		ev := w.last(w.host.shardOf("alice"))
		if seen := ev.Fact.(*feedengine.Seen); !seen.Read || seen.Upto != back.ID || !slices.Equal(ev.Users, []string{"bob"}) {
			t.Errorf("%+v %+v", ev, seen)
		}
		n := w.events()
		if r := w.must("alice", feedengine.Read{Of: feedengine.ListMessages, Conversation: first.Conversation, Upto: first.ID}); r.Upto != back.ID {
			t.Errorf("back: %+v", r)
		}
		if r := w.must("alice", feedengine.Received{Conversation: first.Conversation, Upto: first.ID}); r.Upto != back.ID {
			t.Errorf("received what was read: %+v", r)
		}
		if w.events() != n {
			t.Error("what moves nothing has made an event")
		}
		r = w.must("alice", feedengine.Received{Conversation: first.Conversation, Upto: feedengine.MaxID})
		if now := w.host.clock.Now().ID(feedengine.MaxShards - 1); r.Upto > now || r.Upto < back.ID {
			t.Errorf("from the future: %d, now is %d", r.Upto, now)
		}
		if c := w.counts("alice"); c.Messages != 1 {
			t.Errorf("alice has %+v", c)
		}
		w.must("alice", feedengine.Read{Of: feedengine.ListMessages, Conversation: first.Conversation, Upto: feedengine.MaxID})
		send("bob", feedengine.Send{Conversation: first.Conversation, Text: "after"})
		if c := w.counts("alice"); c.Messages != 1 {
			t.Errorf("alice has %+v", c)
		}
	})
}

// TestMessagesKeepTheirOrder: of one sender who does not wait for answers.
func TestMessagesKeepTheirOrder(t *testing.T) {
	inForum(t, func(w *forum) {
		w.db.Slow = func(string) time.Duration { return 10 * time.Millisecond }
		var got []<-chan feedengine.Result
		for i := range 30 {
			got = append(got, w.ask("", "alice", feedengine.Send{To: []string{"bob"}, Text: fmt.Sprint(i)}))
		}
		last := feedengine.ID(0)
		for i, c := range got {
			r := <-c
			if r.Err != nil || r.Message.ID <= last || r.Message.Opens != (i == 0) {
				t.Fatalf("%d: %+v after %d", i, r, last)
			}
			last = r.Message.ID
		}
	})
}

// TestBlocks: what is refused between two of whom one blocks the other.
func TestBlocks(t *testing.T) {
	inForum(t, func(w *forum) {
		talk := w.must("alice", feedengine.Send{To: []string{"bob"}, Text: "hi", Key: "before"}).Message
		group := w.must("alice", feedengine.Send{To: []string{"bob", "carol"}, Text: "hi"}).Message
		post := w.publish("alice", "x")
		block := feedengine.HideUser{User: "bob", Kind: feedengine.HideBlock}
		w.must("alice", block)
		n := w.events()
		w.must("alice", block)
		w.must("alice", feedengine.HideUser{User: "carol", Kind: feedengine.HideMute, Off: true})
		if w.events() != n {
			t.Error("what changes nothing has made an event")
		}
		for _, pair := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
			me, other := pair[0], pair[1]
			w.refused(me, feedengine.Send{To: []string{other}, Text: "x"}, feedengine.Forbidden)
			w.refused(me, feedengine.Send{Conversation: talk.Conversation, Text: "x"}, feedengine.Forbidden)
			w.refused(me, feedengine.Send{To: []string{other, "dave"}, Text: "x"}, feedengine.Forbidden)
			w.refused(me, feedengine.Follow{Users: []string{other}, Notify: true}, feedengine.Forbidden)
			w.must(me, feedengine.Send{Conversation: group.Conversation, Text: "in the group"})
		}
		if again := w.must("alice", feedengine.Send{To: []string{"bob"}, Text: "hi", Key: "before"}).Message; again.ID != talk.ID {
			t.Errorf("what was sent before the block, again: %+v", again)
		}
		gone := w.refused("bob", feedengine.LikePost{Post: post.ID + 1<<22}, feedengine.NotFound)
		for _, do := range []feedengine.Action{
			feedengine.LikePost{Post: post.ID}, feedengine.AddComment{Post: post.ID, Text: "x"},
			feedengine.Edit{Post: post.ID}, feedengine.Delete{Post: post.ID},
		} {
			if hidden := w.refused("bob", do, feedengine.NotFound); hidden != nil && *hidden != *gone {
				t.Errorf("%T: %v tells that there is a post; of none it says %v", do, hidden, gone)
			}
		}
		for _, user := range []string{"alice", "bob", "carol"} {
			w.counts(user)
		}
		w.must("alice", feedengine.HideUser{User: "bob", Kind: feedengine.HideBlock, Off: true})
		w.must("bob", feedengine.LikePost{Post: post.ID})
		w.must("bob", feedengine.Follow{Users: []string{"alice"}, Notify: true})
		for _, user := range []string{"alice", "bob", "carol"} {
			w.counts(user)
		}
	})
}

func TestFollowsNotify(t *testing.T) {
	inForum(t, func(w *forum) {
		w.must("bob", feedengine.PutProfile{Profile: feedengine.Profile{Name: "Bob"}})
		since := w.must("bob", feedengine.Follow{Users: []string{"alice"}, Notify: true}).Since
		ev := w.last(w.host.shardOf("bob"))
		if f, ok := ev.Fact.(*feedengine.Following); !ok || !f.Notify || ev.Name != "Bob" || ev.ID != since {
			t.Errorf("%+v", ev)
		}
		w.must("carol", feedengine.Follow{Users: []string{"alice", "bob"}})
		if c := w.counts("alice"); c.Notifications != 1 {
			t.Errorf("alice has %+v", c)
		}
		w.must("bob", feedengine.Unfollow{Users: []string{"alice", "nobody"}})
		ev = w.last(w.host.shardOf("bob"))
		if f, ok := ev.Fact.(*feedengine.Following); !ok || !slices.Equal(f.Since, []feedengine.ID{since}) || !slices.Equal(ev.Users, []string{"alice"}) {
			t.Errorf("%+v", ev)
		}
		if c := w.counts("alice"); c.Notifications != 0 {
			t.Errorf("alice has %+v", c)
		}
	})
}

func TestProfilesAreUnique(t *testing.T) {
	inForum(t, func(w *forum) {
		put := func(handle, email string) feedengine.PutProfile {
			return feedengine.PutProfile{Profile: feedengine.Profile{Handle: handle, Email: email}}
		}
		if r := w.must("alice", put("al", "a@x.org")); r.Profile.User != "alice" || r.Profile.Handle != "al" {
			t.Errorf("%+v", r.Profile)
		}
		w.must("alice", put("al", "a@x.org"))
		if err := w.refused("bob", put("AL", ""), feedengine.Conflict); err != nil && !strings.Contains(err.Message, "handle") {
			t.Error(err)
		}
		if err := w.refused("bob", put("", "A@x.org"), feedengine.Conflict); err != nil && !strings.Contains(err.Message, "email") {
			t.Error(err)
		}
		// Who comes second although it was free when it was looked for.
		w.db.Slow = func(string) time.Duration { return 10 * time.Millisecond }
		var won, lost int
		var got []<-chan feedengine.Result
		for i := range 6 {
			got = append(got, w.ask("", fmt.Sprint("u", i), put("same", "")))
		}
		for _, c := range got {
			switch r := <-c; {
			case r.Err == nil:
				won++
			case r.Err.Code == feedengine.Conflict:
				lost++
			default:
				t.Error(r.Err)
			}
		}
		if won != 1 || lost != 5 {
			t.Errorf("%d have it, %d have not", won, lost)
		}
	})
}

func TestSocialRefuses(t *testing.T) {
	inForum(t, func(w *forum) {
		talk := w.must("alice", feedengine.Send{To: []string{"bob"}, Text: "hi"}).Message
		other := w.must("alice", feedengine.Send{To: []string{"carol"}, Text: "hi"}).Message
		post := w.publish("alice", "x")
		gone := w.publish("alice", "y")
		w.must("alice", feedengine.Delete{Post: gone.ID})
		private := w.must("alice", feedengine.Publish{Text: "z", Kind: feedengine.KindOfPost, More: &feedengine.More{Followers: true}}).Post
		many := make([]string, feedengine.MaxMembers)
		for i := range many {
			many[i] = fmt.Sprint("u", i)
		}
		nowhere := feedengine.Tick(1).ID(900)
		for _, c := range []struct {
			name, user string
			do         feedengine.Action
			want       feedengine.Code
		}{
			{"message to oneself", "alice", feedengine.Send{To: []string{"alice"}, Text: "x"}, feedengine.BadRequest},
			{"message to nobody", "alice", feedengine.Send{Text: "x"}, feedengine.BadRequest},
			{"message to 256 others", "alice", feedengine.Send{To: many, Text: "x"}, feedengine.BadRequest},
			{"message to others' conversation", "eve", feedengine.Send{Conversation: talk.Conversation, Text: "x"}, feedengine.NotFound},
			{"message to no conversation", "eve", feedengine.Send{Conversation: talk.Conversation + 1<<22, Text: "x"}, feedengine.NotFound},
			{"message to no shard", "eve", feedengine.Send{Conversation: nowhere, Text: "x"}, feedengine.NotFound},
			{"reply to another conversation's", "alice", feedengine.Send{Conversation: talk.Conversation, Text: "x", Reply: other.ID}, feedengine.NotFound},
			{"reply to nothing", "alice", feedengine.Send{To: []string{"dave"}, Text: "x", Reply: talk.ID}, feedengine.NotFound},
			{"reading others' conversation", "eve", feedengine.Read{Of: feedengine.ListMessages, Conversation: talk.Conversation, Upto: 5}, feedengine.NotFound},
			{"receiving others' conversation", "eve", feedengine.Received{Conversation: talk.Conversation, Upto: 5}, feedengine.NotFound},
			{"like of a deleted post", "bob", feedengine.LikePost{Post: gone.ID}, feedengine.NotFound},
			{"like of followers' post", "bob", feedengine.LikePost{Post: private.ID}, feedengine.NotFound},
			{"comment on followers' post", "bob", feedengine.AddComment{Post: private.ID, Text: "x"}, feedengine.NotFound},
			{"deletion of followers' post", "bob", feedengine.Delete{Post: private.ID}, feedengine.NotFound},
			{"edit of somebody else's", "bob", feedengine.Edit{Post: post.ID}, feedengine.Forbidden},
			{"edit of a deleted post", "alice", feedengine.Edit{Post: gone.ID}, feedengine.NotFound},
			{"comment nowhere", "bob", feedengine.AddComment{Post: nowhere, Text: "x"}, feedengine.NotFound},
			{"follow of oneself", "bob", feedengine.Follow{Users: []string{"bob"}, Notify: true}, feedengine.BadRequest},
			{"block of oneself", "bob", feedengine.HideUser{User: "bob", Kind: feedengine.HideBlock}, feedengine.BadRequest},
			{"mute of oneself", "bob", feedengine.HideUser{User: "bob", Kind: feedengine.HideMute}, feedengine.BadRequest},
			{"neither block nor mute", "bob", feedengine.HideUser{User: "eve", Kind: feedengine.HideBlockedBy}, feedengine.BadRequest},
		} {
			n := w.events()
			if r := <-w.ask("", c.user, c.do); r.Err == nil || r.Err.Code != c.want {
				t.Errorf("%s: %+v, want %s", c.name, r, c.want)
			}
			if w.events() != n {
				t.Errorf("%s: made an event", c.name)
			}
		}
		w.db.SetFail(func(call string) storefake.Fault {
			if call == "append" {
				return storefake.Works
			}
			return storefake.Unavailable
		})
		for _, do := range []feedengine.Action{
			feedengine.LikePost{Post: post.ID}, feedengine.AddComment{Post: post.ID}, feedengine.Edit{Post: post.ID},
			feedengine.Send{To: []string{"bob"}}, feedengine.Received{Conversation: talk.ID}, feedengine.PutProfile{},
			feedengine.HideUser{User: "eve", Kind: feedengine.HideMute}, feedengine.Publish{Text: "x"},
		} {
			w.refused("zoe", do, feedengine.Unavailable)
		}
		w.db.SetFail(nil)
		w.must("zoe", feedengine.LikePost{Post: post.ID}) // the lanes are free
		w.must("zoe", feedengine.HideUser{User: "eve", Kind: feedengine.HideMute})
		w.must("zoe", feedengine.Publish{Text: "x", Kind: feedengine.KindOfPost})
	})
}
