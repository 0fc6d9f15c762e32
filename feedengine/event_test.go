package feedengine

import (
	"slices"
	"testing"
)

// TestEventAbout: of each kind, whom it names and whether it leaves its shard.
func TestEventAbout(t *testing.T) {
	users := []string{"u", "w"}
	for name, c := range map[string]struct {
		ev      Event
		travels bool
		about   []string
	}{
		"post":              {Event{Kind: KindPost, Users: users, Post: &Post{More: &More{Alerts: []string{"x"}}}}, true, []string{"a", "u", "w", "x"}},
		"plain post":        {Event{Kind: KindPost, Post: &Post{}}, true, []string{"a"}},
		"edit":              {Event{Kind: KindPostEdited, Post: &Post{More: &More{Alerts: users}}}, true, []string{"a"}},
		"deletion":          {Event{Kind: KindPostDeleted, Users: users}, true, []string{"a", "u", "w"}},
		"bulk follow":       {Event{Kind: KindFollow, Users: users}, false, []string{"a"}},
		"follow":            {Event{Kind: KindFollow, Users: users, Fact: &Following{Notify: true}}, true, []string{"a", "u", "w"}},
		"unfollow":          {Event{Kind: KindUnfollow, Users: users, Fact: &Following{Since: []ID{1, 2}}}, true, []string{"a", "u", "w"}},
		"unfollow of old":   {Event{Kind: KindUnfollow, Users: users}, false, []string{"a"}},
		"like":              {Event{Kind: KindLike, Fact: &Like{Owner: "o"}}, false, []string{"o"}},
		"unlike":            {Event{Kind: KindUnlike, Fact: &Like{Owner: "o"}}, false, []string{"o"}},
		"comment":           {Event{Kind: KindComment, Fact: &Comment{Owner: "o"}}, false, []string{"o"}},
		"comment, mentions": {Event{Kind: KindComment, Users: users, Fact: &Comment{Owner: "o"}}, true, []string{"o", "u", "w"}},
		"message":           {Event{Kind: KindMessage, Users: users}, true, users},
		"seen":              {Event{Kind: KindSeen}, false, []string{"a"}},
		"seen, to be told":  {Event{Kind: KindSeen, Users: users}, true, []string{"a", "u", "w"}},
		"block":             {Event{Kind: KindBlock, Users: users[:1]}, true, []string{"a", "u"}},
		"unblock":           {Event{Kind: KindUnblock, Users: users[:1]}, true, []string{"a", "u"}},
		"mute":              {Event{Kind: KindMute, Users: users[:1]}, false, []string{"a"}},
		"unmute":            {Event{Kind: KindUnmute, Users: users[:1]}, false, []string{"a"}},
		"profile":           {Event{Kind: KindProfile, Fact: &Profile{}}, false, []string{"a"}},
	} {
		c.ev.Actor = "a"
		if got := slices.Collect(c.ev.About()); !slices.Equal(got, c.about) {
			t.Errorf("%s is about %v, not %v", name, got, c.about)
		}
		if c.ev.Travels() != c.travels {
			t.Errorf("%s travels: %v", name, c.ev.Travels())
		}
		for user := range c.ev.About() { // and may be left at any point
			if user == c.about[0] {
				break
			}
		}
	}
}

// TestPassAllocs: what concerns nobody here costs no allocation.
func TestPassAllocs(t *testing.T) {
	e := New(Options{ShardOf: func(string) ShardID { return 0 }, Heads: make([]Head, 2)})
	for name, ev := range map[string]Event{
		"post":    {Kind: KindPost, Post: &Post{}},
		"mention": {Kind: KindPost, Users: []string{"u"}, Post: &Post{More: &More{Alerts: []string{"x"}}}},
		"message": {Kind: KindMessage, Users: []string{"u", "w"}, Fact: &Message{}},
		"follow":  {Kind: KindFollow, Users: []string{"u"}, Fact: &Following{Notify: true}},
		"like":    {Kind: KindLike, Fact: &Like{Owner: "o", Note: 1}},
	} {
		ev.Shard, ev.Epoch, ev.Actor = 1, e.heads[1].Epoch, "a"
		if n := testing.AllocsPerRun(100, func() {
			ev.Seq = e.heads[1].Seq + 1
			if !e.pass(&ev) {
				t.Fatalf("%s is not passed", name)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
