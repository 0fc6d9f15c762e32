package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// world is posts of authors 1 to 3 and a user, 9, who follows 1 and 2.
func world(t testing.TB) *Truth {
	t.Helper()
	truth, err := NewTruth([]Post{
		{0, 1, 0, 100, 10}, {1, 2, 0, 110, 20}, {2, 1, 0, 120, 30}, {3, 3, 0, 130, 40}, {4, 1, 0, 140, 50}, {5, 9, 0, 150, 60}, {6, 2, 0, 160, 70},
	})
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

var follows12 = []uint32{1, 2}

// verdict is what Check finds.
func verdict(t testing.TB, b *Book, grace int64) string {
	t.Helper()
	var got []string
	b.Check(world(t), 9, follows12, grace, func(k Kind, _ string) { got = append(got, string(k)) })
	return strings.Join(got, " ")
}

// take gives events author:id and returns what Event said, if anything.
func take(b *Book, events ...[2]int64) string {
	var got []string
	for _, e := range events {
		if k := b.Event(uint32(e[0]), e[1], 0); k != "" {
			got = append(got, fmt.Sprintf("%d %s", e[1], k))
		}
	}
	return strings.Join(got, ", ")
}

var all = [][2]int64{{1, 100}, {2, 110}, {1, 120}, {1, 140}, {9, 150}, {2, 160}}

func TestExactlyWhatWasPublishedIsRight(t *testing.T) {
	b := &Book{}
	if got := take(b, all...); got != "" {
		t.Errorf("at once: %s", got)
	}
	if got := verdict(t, b, 0); got != "" {
		t.Errorf("at the end: %s", got)
	}
	if n := b.Unread(world(t), 9, follows12); n != 5 {
		t.Errorf("%d are unread", n)
	}
	if b.Taken() != 6 || b.Newest() != 160 {
		t.Errorf("%d taken, the newest is %d", b.Taken(), b.Newest())
	}
}

func TestAuthorsMayInterleaveInAnyWay(t *testing.T) {
	b := &Book{}
	if got := take(b, [][2]int64{{9, 150}, {2, 110}, {2, 160}, {1, 100}, {1, 120}, {1, 140}}...); got != "" || verdict(t, b, 0) != "" {
		t.Errorf("%s %s", got, verdict(t, b, 0))
	}
}

// TestEveryFaultIsFound leaves out, doubles and swaps each event in turn.
func TestEveryFaultIsFound(t *testing.T) {
	for i := range all {
		b := &Book{}
		got := take(b, slices.Delete(slices.Clone(all), i, i+1)...)
		if end := verdict(t, b, 0); got != "" || end != string(Missing) {
			t.Errorf("without %v: %q and %q", all[i], got, end)
		}
		for j := range all {
			b = &Book{}
			if got := take(b, slices.Insert(slices.Clone(all), j, all[i])...); got == "" {
				t.Errorf("with %v a second time at %d: nothing", all[i], j)
			}
			a := slices.Clone(all)
			a[i], a[j] = a[j], a[i]
			between := slices.ContainsFunc(all[min(i, j):max(i, j)+1], func(e [2]int64) bool { return e[0] == all[i][0] && e != all[i] || e[0] == all[j][0] && e != all[j] })
			b = &Book{}
			if got := take(b, a...); (got != "") != (i != j && between) {
				t.Errorf("%v and %v swapped: %q", all[i], all[j], got)
			}
		}
	}
	b := &Book{}
	take(b, all...)
	take(b, [2]int64{3, 130})
	if got := verdict(t, b, 0); got != string(Unexpected) {
		t.Errorf("with a post of somebody who is not followed: %q", got)
	}
	b = &Book{}
	take(b, [][2]int64{{1, 100}, {1, 120}, {1, 121}, {2, 110}, {2, 160}, {9, 150}}...)
	if got := verdict(t, b, 0); got != string(Missing) {
		t.Errorf("with another post instead of the last: %q", got)
	}
	b = &Book{}
	take(b, append(slices.Clone(all), [2]int64{1, 141})...)
	if got := verdict(t, b, 0); got != string(Unexpected) {
		t.Errorf("with one too many: %q", got)
	}
}

func TestPagesBringWhatEventsBringAgain(t *testing.T) {
	b := &Book{}
	take(b, all[:1]...)
	// A reset left out 110 and 120; the page has them, and 140, which an event brings later.
	for _, e := range [][2]int64{{1, 100}, {2, 110}, {1, 120}, {1, 140}} {
		b.Page(uint32(e[0]), e[1])
	}
	if got := take(b, all[3:]...); got != "" || verdict(t, b, 0) != "" {
		t.Errorf("%q, then %q", got, verdict(t, b, 0))
	}
	if got := take(b, all[3]); got != "140 doubled" {
		t.Errorf("the event a second time: %q", got)
	}
	if got := take(b, all[2]); got != "120 swapped" {
		t.Errorf("an older one: %q", got)
	}
}

func TestReadMarksAndTheCap(t *testing.T) {
	truth := world(t)
	for mark, want := range map[int64]uint32{0: 5 + 7, 99: 5, 100: 4, 120: 2, 159: 1, 160: 0} {
		b := &Book{Base: 7, Mark: mark}
		if got := b.Unread(truth, 9, follows12); got != want {
			t.Errorf("with the mark at %d, %d are unread, want %d", mark, got, want)
		}
	}
	for base, want := range map[uint32]uint32{9_994: 9_999, 9_993: 9_998, 9_999: 9_999} {
		if got := (&Book{Base: base}).Unread(truth, 9, follows12); got != want {
			t.Errorf("%d before, %d now, want %d", base, got, want)
		}
	}
}

func TestUnfollowsAndFollows(t *testing.T) {
	// 1 is unfollowed at time 35, when 100 and 120 have had their ok, and followed
	// again with id 130.
	churned := func(first ...int64) *Book {
		b := &Book{}
		take(b, [2]int64{9, 150}, [2]int64{2, 110}, [2]int64{2, 160})
		for _, id := range first {
			take(b, [2]int64{1, id})
		}
		b.Unfollowing(1, 35)
		b.Unfollowed(1, 45)
		return b
	}
	b := churned(100, 120)
	if got := b.Event(1, 140, 46); got != Unexpected {
		t.Errorf("a post after the unfollow: %q", got)
	}
	if n := b.Unread(world(t), 9, follows12); n != 2 {
		t.Errorf("after the unfollow %d are unread", n)
	}
	if a, ok := b.Absent(); !ok || a != 1 {
		t.Errorf("to follow again: %d, %v", a, ok)
	}
	if got := verdict(t, b, 0); got != "" {
		t.Errorf("unfollowed: %q", got)
	}
	b.Following(1)
	if got := verdict(t, b, 0); got != string(Unrepaired) {
		t.Errorf("while it is open whether 1 is followed: %q", got)
	}
	b.Event(1, 140, 46)
	b.Followed(1, 130)
	if got := verdict(t, b, 0); got != "" || b.Taken() != 6 {
		t.Errorf("followed again: %q, %d taken", got, b.Taken())
	}
	if n := b.Unread(world(t), 9, follows12); n != 3 {
		t.Errorf("after the follow %d are unread", n)
	}
	if b.Page(1, 120) || b.Page(1, 130) {
		t.Error("a page brings posts from before the follow")
	}
	b = churned(100, 120)
	b.Following(1)
	if b.Page(1, 140) {
		t.Error("a page brings posts while nobody knows from which on")
	}
	b.Followed(1, 130)
	if b.Page(1, 120) || !b.Page(1, 140) {
		t.Error("a page brings other posts than those above the follow")
	}
	b = churned(100)
	if got := b.Event(1, 120, 45); got != "" || verdict(t, b, 0) != "" || b.Taken() != 5 {
		t.Errorf("a post that was under way: %q, then %q, %d taken", got, verdict(t, b, 0), b.Taken())
	}
	if got := b.Event(1, 120, 45); got != Unexpected {
		t.Errorf("the same again: %q", got)
	}
	b = churned(100)
	if got := verdict(t, b, 0); got != string(Missing) {
		t.Errorf("120 should have come: %q", got)
	}
	if got := verdict(t, b, 10); got != "" {
		t.Errorf("120 may be too young: %q", got)
	}
	b = churned(120)
	if got := verdict(t, b, 30); got != string(Missing) {
		t.Errorf("without the first: %q", got)
	}
	b = churned(100, 120)
	b.Following(1)
	b.Followed(1, 130)
	if got := verdict(t, b, 0); got != string(Missing) {
		t.Errorf("140 did not come after the follow: %q", got)
	}
	b = churned(100, 120)
	b.Following(1)
	b.Event(1, 140, 46)
	b.Followed(1, 140)
	if got := verdict(t, b, 0); got != string(Unexpected) {
		t.Errorf("140 is not above the follow: %q", got)
	}
}

func TestOneIDForTwoPosts(t *testing.T) {
	if _, err := NewTruth([]Post{{0, 1, 0, 100, 1}, {1, 2, 0, 100, 2}}); err == nil {
		t.Error("it is accepted")
	}
}

func TestFaultsKeepTheFirstOfEachKind(t *testing.T) {
	var a, b Faults
	for range 100 {
		a.Add(Fault{Kind: Missing})
		b.Add(Fault{Kind: Missing})
		b.Add(Fault{Kind: Doubled})
	}
	c := a.Clone()
	a.Merge(&b)
	if a.Total() != 300 || len(a.Samples) != 2*samplesPerKind || c.Total() != 100 {
		t.Errorf("%d and %d samples, the copy has %d", a.Total(), len(a.Samples), c.Total())
	}
}

// TestMemoryDoesNotGrowWithDeliveries: once something has come of each author, what
// comes takes nothing more.
func TestMemoryDoesNotGrowWithDeliveries(t *testing.T) {
	b := &Book{}
	id := int64(0)
	deliver := func() {
		id++
		if k := b.Event(uint32(id%50), id, 0); k != "" {
			t.Fatal(k)
		}
	}
	for range 50 {
		deliver()
	}
	if n := testing.AllocsPerRun(100_000, deliver); n != 0 || len(b.edges) != 50 {
		t.Errorf("a delivery allocates %v times, %d edges", n, len(b.edges))
	}
}

// FuzzBook compares a book with a list of all that came, the obvious way to do it.
func FuzzBook(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Add(uint64(2), uint8(1))
	f.Add(uint64(3), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, faults uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		var posts []Post
		for i := range 30 {
			posts = append(posts, Post{i, uint32(r.IntN(4)), 0, int64(i+1) * 10, 1})
		}
		truth, err := NewTruth(posts)
		if err != nil {
			t.Fatal(err)
		}
		user, following := uint32(3), []uint32{0, 1}
		var sent []Post
		for _, p := range posts {
			if p.Author <= 1 || p.Author == user {
				sent = append(sent, p)
			}
		}
		want := slices.Clone(sent)
		for range faults % 3 {
			if len(sent) < 2 {
				break
			}
			i := r.IntN(len(sent) - 1)
			switch r.IntN(3) {
			case 0:
				sent = slices.Delete(sent, i, i+1)
			case 1:
				sent = slices.Insert(sent, r.IntN(len(sent)), sent[i])
			case 2:
				sent[i], sent[i+1] = sent[i+1], sent[i]
			}
		}
		b, bad := &Book{}, false
		for _, p := range sent {
			bad = bad || b.Event(p.Author, p.ID, 0) != ""
		}
		b.Check(truth, user, following, 0, func(Kind, string) { bad = true })
		if right := sameByAuthor(sent, want); right == bad {
			t.Errorf("right: %v, faults found: %v\nsent %v\nwant %v", right, bad, sent, want)
		}
	})
}

// sameByAuthor: each author's posts are the same, in the same order.
func sameByAuthor(a, b []Post) bool {
	for author := range uint32(4) {
		other := func(p Post) bool { return p.Author != author }
		if !slices.Equal(slices.DeleteFunc(slices.Clone(a), other), slices.DeleteFunc(slices.Clone(b), other)) {
			return false
		}
	}
	return true
}

// TestConversation: messages are a line like an author's; one's own do not count.
func TestConversation(t *testing.T) {
	truth, err := NewTruth([]Post{
		{0, Talk + 3, 9, 100, 1}, {1, Talk + 3, 1, 110, 1}, {2, Talk + 3, 2, 120, 1}, {3, Talk + 4, 1, 130, 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &Book{TalkBase: 5}
	for _, id := range []int64{100, 110} {
		if k := b.Event(Talk+3, id, 0); k != "" {
			t.Fatal(k)
		}
	}
	check := func(want string) {
		t.Helper()
		var got []string
		b.Check(truth, 9, []uint32{Talk + 3}, 0, func(k Kind, _ string) { got = append(got, string(k)) })
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got %q, want %q", s, want)
		}
	}
	check("missing")
	if k := b.Event(Talk+3, 120, 0); k != "" {
		t.Fatal(k)
	}
	check("")
	if n := b.UnreadTalk(truth, 9, Talk+3); n != 5+2 {
		t.Errorf("%d are unread, want those from before and 2", n)
	}
	b.TalkMark = 110
	if n := b.UnreadTalk(truth, 9, Talk+3); n != 1 {
		t.Errorf("%d are unread above the mark, want 1", n)
	}
	if b.Unread(truth, 9, []uint32{Talk + 3}) != 0 || b.Newest() != 0 {
		t.Error("messages count as posts")
	}
	if k := b.Event(Talk+3, 110, 0); k != Swapped {
		t.Errorf("an older message is %q", k)
	}
}
