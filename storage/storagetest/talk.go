package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

func runTalk(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"OneForASet", testOneForASet},
		{"Marks", testTalkMarks},
		{"GroupWithBlock", testGroupWithBlock},
		{"Many", testManyTalks},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// testOneForASet: a set of people has one conversation, found by the set.
func testOneForASet(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	w.hide(feedengine.KindBlock, "dan", "alice")
	pair := w.open("alice", "pair", "bob")
	group := w.open("alice", "group", "carol", "bob")
	w.commit(t)
	for _, c := range []struct {
		user    string
		to      []string
		want    feedengine.ID
		blocked []string
	}{
		{"alice", []string{"bob"}, pair, nil},
		{"bob", []string{"alice", "alice"}, pair, nil},
		{"carol", []string{"bob", "alice"}, group, nil},
		{"bob", []string{"carol"}, 0, nil},
		{"alice", []string{"dan", "bob"}, 0, []string{"dan"}},
		{"dan", []string{"alice"}, 0, []string{"alice"}},
	} {
		members := feedengine.ConversationMembers(c.user, c.to)
		got, err := s.Talk(t.Context(), feedengine.TalkAsk{User: c.user, Members: members})
		if err != nil {
			t.Fatal(err)
		}
		want := feedengine.Talk{ID: c.want, Blocked: c.blocked}
		if c.want != 0 {
			want.Members = members
		}
		same(t, fmt.Sprint(members), want, got)
	}
	head := w.head
	w.open("bob", "pair again", "alice")
	if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("a second conversation of the same people: %v, want ErrRefused", err)
	}
	w.head = head
	of, err := s.Talk(t.Context(), feedengine.TalkAsk{User: "alice", ID: pair, Reply: group})
	if err != nil || of.Replied {
		t.Errorf("a message of another conversation may be answered: %+v, %v", of, err)
	}
}

// testTalkMarks moves marks, which never go back.
func testTalkMarks(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	talk := w.open("alice", "0", "bob", "carol")
	members := []string{"alice", "bob", "carol"}
	ids := []feedengine.ID{talk}
	for i := range 5 {
		ids = append(ids, w.message(members[i%2], talk, fmt.Sprint(i), members...))
	}
	w.commit(t)
	stands := func(when string, got, read feedengine.ID, unread uint32) {
		t.Helper()
		w.commit(t)
		of, err := s.Talk(t.Context(), feedengine.TalkAsk{User: "carol", ID: talk})
		if err != nil || of.Got != got || of.Read != read {
			t.Errorf("%s: %+v, %v, want got %d, read %d", when, of, err, got, read)
		}
		page, err := s.Conversations(t.Context(), "carol", 0, 10)
		if err != nil || len(page.Conversations) != 1 || page.Conversations[0].Unread != unread || page.Conversations[0].Read != read {
			t.Errorf("%s: %+v, %v, want %d unread", when, page, err, unread)
		}
	}
	stands("nothing seen", 0, 0, 6)
	w.saw("carol", talk, ids[3], false)
	stands("got", ids[3], 0, 6)
	w.saw("carol", talk, ids[1], true)
	stands("read", ids[3], ids[1], 4)
	w.saw("carol", talk, ids[0], true)
	stands("read less", ids[3], ids[1], 4)
	w.saw("carol", talk, ids[5], true)
	stands("read all", ids[5], ids[5], 0)
	w.saw("mallory", talk, ids[5], true)
	w.commit(t)
	page, err := s.Messages(t.Context(), "alice", talk, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "how far the others are", []feedengine.MemberSeen{{User: "bob"}, {User: "carol", Got: ids[5], Read: ids[5]}}, page.Seen)
	if page.Next != ids[4] || len(page.Messages) != 2 {
		t.Errorf("a page of %d messages, next %d", len(page.Messages), page.Next)
	}
}

// testGroupWithBlock: who blocks another in a group does not see that one's
// messages, nor is seen; the others see all.
func testGroupWithBlock(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	w.hide(feedengine.KindBlock, "alice", "bob")
	w.hide(feedengine.KindMute, "alice", "carol")
	talk := w.open("carol", "0", "alice", "bob")
	members := []string{"alice", "bob", "carol"}
	mine := w.message("alice", talk, "a", members...)
	last := w.message("bob", talk, "b", members...)
	only := w.open("bob", "alone", "alice")
	w.commit(t)
	for user, want := range map[string]struct {
		last   feedengine.ID
		unread uint32
		others []string
	}{
		"alice": {mine, 1, []string{"carol"}},
		"bob":   {last, 1, []string{"carol"}},
		"carol": {last, 2, []string{"alice", "bob"}},
	} {
		page, err := s.Conversations(t.Context(), user, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Conversations {
			if c.ID == talk && (c.Last.ID != want.last || c.Unread != want.unread || len(c.Members) != 3) {
				t.Errorf("%s has %+v, last %+v", user, c, c.Last)
			}
			if c.ID == only && user == "alice" {
				t.Errorf("alice is shown a conversation of which all is hidden: %+v", c)
			}
		}
		others, err := s.Members(t.Context(), user, talk)
		if err != nil {
			t.Fatal(err)
		}
		same(t, user+" talks to", want.others, others)
		m, err := s.Messages(t.Context(), user, talk, 0, 10)
		if err != nil || len(m.Seen) != len(want.others) {
			t.Errorf("%s sees %+v, %v", user, m, err)
		}
		for id, from := range map[feedengine.ID]string{talk: "carol", mine: "alice", last: "bob"} {
			of, err := s.Talk(t.Context(), feedengine.TalkAsk{User: user, ID: talk, Reply: id})
			if sees := from == user || slices.Contains(want.others, from); err != nil || of.Replied != sees {
				t.Errorf("%s may answer %s: %v, %v, want %v", user, from, of.Replied, err, sees)
			}
		}
	}
}

// testManyTalks counts up to where counting stops, and lists by the newest message.
func testManyTalks(t *testing.T, h Harness) {
	const most = feedengine.MaxUnread
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	var talks []feedengine.ID
	for i := range 5 {
		talks = append(talks, w.open(fmt.Sprint("u", i), "x", "reader"))
	}
	for range most + 5 {
		w.message("u2", talks[2], "x", "reader", "u2")
		if len(w.writes) == 1000 {
			w.commit(t)
		}
	}
	w.message("reader", talks[0], "mine", "reader", "u0")
	w.commit(t)
	page, err := s.Conversations(t.Context(), "reader", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var order []feedengine.ID
	for _, c := range page.Conversations {
		order = append(order, c.ID)
		if want := map[bool]uint32{true: most, false: 1}[c.ID == talks[2]]; c.Unread != want {
			t.Errorf("%d has %d unread, want %d", c.ID, c.Unread, want)
		}
	}
	same(t, "the order", []feedengine.ID{talks[0], talks[2], talks[4], talks[3], talks[1]}, order)
	for _, c := range load(t, s, "reader").Chats {
		if want := map[bool]int{true: most, false: 1}[c.Conversation == talks[2]]; c.Total != want || len(c.Unread) != min(want, 10) {
			t.Errorf("%d has %d unread, of which %d came, want %d", c.Conversation, c.Total, len(c.Unread), want)
		}
	}
}
