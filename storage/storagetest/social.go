package storagetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

func runSocial(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Model", testSocialModel},
		{"LogKeepsAll", testLogKeepsAll},
		{"OneCommit", testOneCommit},
		{"LikesAreOneNote", testLikesAreOneNote},
		{"OneNotePerEvent", testOneNotePerEvent},
		{"FollowNotes", testFollowNotes},
		{"DeleteWithdraws", testDeleteWithdraws},
		{"Hides", testHides},
		{"StrangersLearnNothing", testStrangersLearnNothing},
		{"BadText", testBadText},
		{"FactMissing", testFactMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// testLogKeepsAll writes one event of each kind with everything set and reads it
// again.
func testLogKeepsAll(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	more := feedengine.More{
		Followers: true, Edited: 5, Alerts: []string{"x", "y"},
		Media: []feedengine.Media{{URL: "https://a/b?c=<d>&e", Type: "image/png", Size: 7}},
		Job:   &feedengine.Job{Title: "<cook>", Category: "c", Location: "l", SalaryMin: 1, SalaryMax: 2, Currency: "EUR"},
	}
	p := w.more("alice", "text", more)
	w.events[0].Name, w.events[0].Users = "Alice \u2028 & Co", []string{"bob", "carol"}
	w.edit(*p)
	like := w.like("bob", p, 0, 1)
	*like.Fact.(*feedengine.Like) = feedengine.Like{
		Post: p.ID, Owner: "alice", Note: like.ID, Edge: true, Likes: 1, Count: 1, Others: []string{"bob"},
	}
	w.comment("bob", p, "comment", "carol")
	talk := w.open("alice", "hello", "bob")
	w.event(feedengine.Event{
		Kind: feedengine.KindMessage, Actor: "alice", Name: "A", Users: []string{"alice", "bob"},
		Fact: &feedengine.Message{Conversation: talk, Text: "m", Reply: talk, Media: more.Media},
	})
	w.saw("bob", talk, talk, true)
	w.hide(feedengine.KindBlock, "alice", "dan")
	w.hide(feedengine.KindUnblock, "alice", "dan")
	w.hide(feedengine.KindMute, "alice", "dan")
	w.hide(feedengine.KindUnmute, "alice", "dan")
	since := w.followed("bob", "alice")
	w.unfollowed("bob", "alice", since)
	w.profile(feedengine.Profile{User: "alice", Handle: "al", Name: "Alice", Avatar: "https://a", Email: "a@x", Phone: "+123456", Subject: "s"})
	w.unlike("bob", p, like.ID, 0, true)
	w.delete("alice", p.ID)
	w.events[len(w.events)-1].Users = []string{"bob", "carol"}
	want := w.events
	w.commit(t)
	same(t, "the log", want, w.written(t))
}

// testOneCommit lets facts come and go within one commit.
func testOneCommit(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	p := w.post("alice", "text")
	first := w.like("bob", p, 0, 1)
	w.unlike("bob", p, first.ID, 0, true)
	second := w.like("carol", p, 0, 1)
	w.like("bob", p, second.ID, 2)
	w.comment("bob", p, "one")
	w.comment("carol", p, "two")
	now := *p
	now.Text = "once"
	w.edit(now)
	now.Text = "twice"
	w.edit(now)
	w.hide(feedengine.KindMute, "bob", "alice")
	w.hide(feedengine.KindUnmute, "bob", "alice")
	w.hide(feedengine.KindBlock, "bob", "dan")
	w.hide(feedengine.KindUnblock, "bob", "dan")
	w.hide(feedengine.KindBlock, "bob", "dan")
	gone := w.post("alice", "gone")
	w.like("bob", gone, 0, 1)
	w.comment("bob", gone, "x", "carol")
	w.delete("alice", gone.ID)
	w.profile(feedengine.Profile{User: "bob", Name: "B", Handle: "first"})
	w.profile(feedengine.Profile{User: "bob", Name: "Bob"})
	w.profile(feedengine.Profile{User: "anna", Handle: "First"}) // bob gave it up
	talk := w.open("bob", "hello", "alice")
	last := w.message("bob", talk, "again", "alice", "bob")
	w.saw("alice", talk, talk, true)
	w.saw("alice", talk, last, false)
	w.saw("alice", talk, talk, false)
	w.commit(t)

	got, err := s.Post(t.Context(), p.ID)
	if err != nil || got.Likes != 2 || got.Comments != 2 || got.Text != "twice" {
		t.Errorf("post %+v, %v, want 2 likes, 2 comments, edited twice", got, err)
	}
	w.gone(t, gone.ID)
	list := notes(t, s, "alice")
	if len(list) != 3 || list[2].ID != second.ID || list[2].Count != 2 {
		t.Errorf("alice's notifications are %d, want two of comments and one of likes: %+v", len(list), list)
	}
	if list := notes(t, s, "carol"); len(list) != 0 {
		t.Errorf("carol has %d notifications of a post that is gone", len(list))
	}
	bob := load(t, s, "bob")
	same(t, "bob hides", []feedengine.Hide{{Other: "dan", Kind: feedengine.HideBlock}}, bob.Hides)
	if bob.Name != "Bob" {
		t.Errorf("bob's name is %q", bob.Name)
	}
	alice := load(t, s, "alice")
	same(t, "alice's unread messages", []feedengine.LoadedChat{{Conversation: talk, LoadedCount: feedengine.LoadedCount{
		Mark: talk, Total: 1, Unread: []feedengine.UnreadID{{ID: last}},
	}}}, alice.Chats)
	if alice.ChatTop != talk {
		t.Errorf("alice's highest mark is %d, want %d", alice.ChatTop, talk)
	}
}

// testLikesAreOneNote lets the likes of a notification come, be hidden and go.
func testLikesAreOneNote(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	p := w.post("alice", "text")
	note := w.like("u0", p, 0, 1).ID
	for i, u := range []string{"u1", "u2", "u3"} {
		w.like(u, p, note, i+2)
	}
	w.like("alice", p, 0, 5)
	w.profile(feedengine.Profile{User: "u3", Name: "Newest"})
	expect := func(when string, likers ...string) {
		t.Helper()
		w.commit(t)
		list := notes(t, s, "alice")
		if count := load(t, s, "alice").Notes; count.Total != min(len(likers), 1) || len(list) != count.Total {
			t.Fatalf("%s: %d count, %d are listed, of %d likes", when, count.Total, len(list), len(likers))
		}
		if len(likers) == 0 {
			return
		}
		n := list[0]
		if n.ID != note || n.Kind != feedengine.NoteLike || n.Post != p.ID || n.Count != len(likers) || n.Actor != likers[0] {
			t.Errorf("%s: %+v", when, n)
		}
		if (n.Name == "Newest") != (n.Actor == "u3") {
			t.Errorf("%s: %s is called %q", when, n.Actor, n.Name)
		}
		same(t, when, likers[:min(3, len(likers))], n.Others)
	}
	expect("four likes", "u3", "u2", "u1", "u0")
	w.hide(feedengine.KindMute, "alice", "u3")
	w.hide(feedengine.KindBlock, "u0", "alice")
	expect("two hidden", "u2", "u1")
	w.hide(feedengine.KindBlock, "alice", "u2")
	w.unlike("u1", p, note, 4, false)
	expect("all hidden")
	w.hide(feedengine.KindUnmute, "alice", "u3")
	expect("one shown", "u3")
	w.mark("alice", feedengine.ListNotifications, note)
	w.commit(t)
	if count := load(t, s, "alice").Notes; count.Total != 0 || count.Mark != note {
		t.Errorf("read: %+v", count)
	}
	w.like("u4", p, note, 5)
	w.commit(t)
	if count := load(t, s, "alice").Notes; count.Total != 0 {
		t.Errorf("a like of a window that was read counts: %+v", count)
	}
	st, err := s.Standing(t.Context(), "u3", p.ID, false)
	if err != nil || !st.Liked || st.LikedAs != note || st.Newest != note || st.Count != 4 {
		t.Errorf("u3 stands as %+v, %v", st, err)
	}
	st, err = s.Standing(t.Context(), "alice", p.ID, false)
	if err != nil || !st.Liked || st.LikedAs != 0 || st.Newest != note || st.Count != 0 {
		t.Errorf("the author stands as %+v, %v", st, err)
	}
}

// testOneNotePerEvent: who would get two for one event gets the one that says more.
func testOneNotePerEvent(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	job := w.more("alice", "hello @bob", feedengine.More{Job: &feedengine.Job{Title: "cook"}, Alerts: []string{"bob", "carol"}})
	w.events[0].Users = []string{"bob"}
	comment := w.comment("bob", job, "@alice @carol", "alice", "carol")
	own := w.comment("alice", job, "@carol", "carol")
	w.commit(t)
	type brief struct {
		Kind    feedengine.NoteKind
		ID      feedengine.ID
		Comment feedengine.ID
	}
	for user, want := range map[string][]brief{
		"alice": {{feedengine.NoteComment, comment, comment}},
		"bob":   {{feedengine.NoteMention, job.ID, 0}},
		"carol": {{feedengine.NoteMention, own, own}, {feedengine.NoteMention, comment, comment}, {feedengine.NoteJob, job.ID, 0}},
	} {
		var got []brief
		for _, n := range notes(t, s, user) {
			if n.Post != job.ID || n.Count != 1 {
				t.Errorf("%s: %+v", user, n)
			}
			got = append(got, brief{n.Kind, n.ID, n.Comment})
		}
		same(t, user+"'s notifications", want, got)
	}
	st, err := s.Standing(t.Context(), "alice", job.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "who is told of a deletion", []string{"bob", "carol"}, st.Told)
}

func testFollowNotes(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	w.follow("bulk", "alice", "bob")
	since := w.followed("carol", "alice")
	w.commit(t)
	if list := notes(t, s, "alice"); len(list) != 1 || list[0].ID != since || list[0].Kind != feedengine.NoteFollow || list[0].Actor != "carol" {
		t.Errorf("alice's notifications: %+v", list)
	}
	if list := notes(t, s, "bob"); len(list) != 0 {
		t.Errorf("a bulk follow told bob")
	}
	w.unfollowed("carol", "alice", since)
	w.commit(t)
	if list := notes(t, s, "alice"); len(list) != 0 {
		t.Errorf("an unfollow left %+v", list[0])
	}
	if got := load(t, s, "carol"); len(got.Follows) != 0 {
		t.Errorf("carol follows %v", got.Follows)
	}
}

func testDeleteWithdraws(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	p, kept := w.tell("alice", "@bob", "bob"), w.tell("alice", "@bob", "bob")
	w.like("bob", p, 0, 1)
	w.comment("bob", p, "@carol", "carol")
	w.comment("bob", kept, "x")
	w.commit(t)
	w.delete("alice", p.ID)
	w.commit(t)
	for user, want := range map[string]int{"alice": 1, "bob": 1, "carol": 0} {
		if list := notes(t, s, user); len(list) != want {
			t.Errorf("%s has %d notifications, want %d", user, len(list), want)
		}
		if n := load(t, s, user).Notes.Total; n != want {
			t.Errorf("%s has %d unread notifications, want %d", user, n, want)
		}
	}
	for _, viewer := range []string{"alice", "bob", ""} {
		if _, err := s.PostFor(t.Context(), viewer, p.ID); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("deleted post for %q: %v", viewer, err)
		}
		if _, err := s.Comments(t.Context(), viewer, p.ID, 0, 10); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("comments of a deleted post for %q: %v", viewer, err)
		}
	}
	again := *p
	again.Text = "back"
	w.edit(again)
	w.commit(t)
	w.gone(t, p.ID)
}

// testHides: a block hides from both sides, a mute from one and less; nothing is
// lost by either.
func testHides(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	w.follow("alice", "bob")
	w.follow("bob", "alice")
	pa, pb := w.post("alice", "a"), w.post("bob", "b")
	w.comment("bob", pa, "x")
	w.comment("alice", pb, "x")
	talk := w.open("bob", "x", "alice")
	w.message("alice", talk, "y", "alice", "bob")
	type sums struct{ feed, notes, chats, page int }
	of := func(user string) sums {
		t.Helper()
		u := load(t, s, user)
		if len(u.Follows) != 1 {
			t.Errorf("%s follows %v: a hide takes no edge away", user, u.Follows)
		}
		return sums{u.Feed.Total, u.Notes.Total, len(u.Chats), len(u.Page.Posts)}
	}
	all := sums{1, 1, 1, 2}
	for _, c := range []struct {
		when       string
		do         feedengine.EventKind
		alice, bob sums
	}{
		{"nothing hidden", 0, all, all},
		{"alice mutes bob", feedengine.KindMute, sums{0, 0, 1, 1}, all},
		{"unmutes", feedengine.KindUnmute, all, all},
		{"blocks", feedengine.KindBlock, sums{0, 0, 0, 1}, sums{0, 0, 0, 1}},
		{"and mutes", feedengine.KindMute, sums{0, 0, 0, 1}, sums{0, 0, 0, 1}},
		{"unblocks", feedengine.KindUnblock, sums{0, 0, 1, 1}, all},
		{"unmutes", feedengine.KindUnmute, all, all},
	} {
		if c.do != 0 {
			w.hide(c.do, "alice", "bob")
		}
		w.commit(t)
		if got := of("alice"); got != c.alice {
			t.Errorf("%s: alice has %+v, want %+v", c.when, got, c.alice)
		}
		if got := of("bob"); got != c.bob {
			t.Errorf("%s: bob has %+v, want %+v", c.when, got, c.bob)
		}
		blocked := c.bob != all
		if _, err := s.PostFor(t.Context(), "bob", pa.ID); errors.Is(err, feedengine.ErrNotFound) != blocked {
			t.Errorf("%s: alice's post for bob: %v", c.when, err)
		}
		if _, err := s.PostFor(t.Context(), "", pa.ID); err != nil {
			t.Errorf("%s: alice's post for a service: %v", c.when, err)
		}
		page, err := s.Feed(t.Context(), "alice", 0, 10)
		if err != nil || len(page.Posts) != c.alice.page {
			t.Errorf("%s: alice's feed has %+v, %v", c.when, page, err)
		}
	}
}

// testStrangersLearnNothing asks for what is not there, and for what is there and
// not for the asker: the answers are the same.
func testStrangersLearnNothing(t *testing.T, h Harness) {
	s := h.full(t, 4)
	ctx := t.Context()
	w := claim(t, s, "a", 1)
	w.hide(feedengine.KindBlock, "alice", "mallory")
	w.profile(feedengine.Profile{User: "mallory", Name: "M"})
	public := w.post("alice", "public")
	hidden := w.more("carol", "for followers", feedengine.More{Followers: true})
	w.like("bob", public, 0, 1)
	w.like("bob", hidden, 0, 1)
	w.comment("bob", hidden, "x")
	deleted := w.post("carol", "deleted")
	w.delete("carol", deleted.ID)
	talk := w.open("alice", "secret", "bob")
	w.commit(t)
	const nothing = feedengine.ID(1 << 40)
	for _, id := range []feedengine.ID{nothing, public.ID, hidden.ID, deleted.ID, talk, feedengine.MaxID, 1} {
		if p, err := s.PostFor(ctx, "mallory", id); p != nil || !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("post %d: %+v, %v", id, p, err)
		}
		if p, err := s.Comments(ctx, "mallory", id, 0, 10); p != nil || !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("comments %d: %+v, %v", id, p, err)
		}
		st, err := s.Standing(ctx, "mallory", id, true)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "standing", feedengine.Standing{Name: "M"}, st)
		of, err := s.Talk(ctx, feedengine.TalkAsk{User: "mallory", ID: id, Reply: talk, Upto: feedengine.MaxID})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "talk", feedengine.Talk{Name: "M"}, of)
		if p, err := s.Messages(ctx, "mallory", id, 0, 10); p != nil || !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("messages %d: %+v, %v", id, p, err)
		}
		if p, err := s.Members(ctx, "mallory", id); p != nil || !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("members %d: %+v, %v", id, p, err)
		}
	}
	if p, err := s.PostFor(ctx, "", hidden.ID); err != nil || p.Text != "for followers" {
		t.Errorf("a service sees %+v, %v", p, err)
	}
}

// testBadText: text that would not come back as it was is refused wherever it stands.
func testBadText(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	p := w.post("alice", `\u0000 \ufffd \\u0000 �`)
	talk := w.open("alice", "x", "bob")
	w.commit(t)
	if got, err := s.Post(t.Context(), p.ID); err != nil || got.Text != p.Text {
		t.Errorf("%q came back as %+v, %v", p.Text, got, err)
	}
	for _, bad := range []string{"nul \x00", "cut \xc3", "surrogate \xed\xa0\x80"} {
		for name, do := range map[string]func(){
			"post":    func() { w.post("alice", bad) },
			"name":    func() { w.post("alice", "x"); w.events[len(w.events)-1].Name = bad },
			"mention": func() { w.tell("alice", "x", bad) },
			"media":   func() { w.more("alice", "x", feedengine.More{Media: []feedengine.Media{{URL: bad}}}) },
			"job":     func() { w.more("alice", "x", feedengine.More{Job: &feedengine.Job{Title: bad}}) },
			"comment": func() { w.comment("bob", p, bad) },
			"message": func() { w.message("bob", talk, bad, "alice", "bob") },
			"block":   func() { w.hide(feedengine.KindBlock, "alice", bad) },
			"profile": func() { w.profile(feedengine.Profile{User: "alice", Avatar: bad}) },
		} {
			head, tick := w.head, w.tick
			do()
			if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
				t.Errorf("%s with %q: %v, want ErrRefused", name, bad, err)
			}
			if err := s.SaveSearch(t.Context(), "alice", feedengine.Search{ID: 9, Name: bad}); !errors.Is(err, feedengine.ErrRefused) {
				t.Errorf("search %q: %v, want ErrRefused", bad, err)
			}
			if t.Failed() {
				return
			}
			w.head, w.tick = head, tick
		}
	}
	if n := len(w.written(t)); n != 2 {
		t.Errorf("%d events in the log, want 2", n)
	}
	w.post("alice", strings.Repeat("x", 8000))
	w.commit(t)
}

// testFactMissing: an event that does not carry what its kind needs is refused.
func testFactMissing(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	for kind := feedengine.EventKind(0); kind < 64; kind++ {
		switch kind {
		case feedengine.KindPostDeleted, feedengine.KindFollow, feedengine.KindUnfollow,
			feedengine.KindBlock, feedengine.KindUnblock, feedengine.KindMute, feedengine.KindUnmute:
			continue
		}
		head := w.head
		w.event(feedengine.Event{Kind: kind, Actor: "alice", Users: []string{"bob"}})
		if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("kind %d: %v, want ErrRefused", kind, err)
		}
		w.head = head
	}
}
