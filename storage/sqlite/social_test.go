package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/feedgate/feedgate/feedengine"
)

// event appends e at the next place of the log of shard 1.
func (p *poster) event(t testing.TB, e feedengine.Event) *feedengine.Event {
	t.Helper()
	p.tick++
	p.head.Seq++
	p.head.ID = p.tick.ID(1)
	e.Shard, e.Epoch, e.Seq, e.ID = 1, p.head.Epoch, p.head.Seq, p.head.ID
	if e.Kind == feedengine.KindPost {
		e.Post.ID, e.Post.Author = e.ID, e.Actor
	}
	if m, ok := e.Fact.(*feedengine.Message); ok && m.Opens {
		m.Conversation = e.ID
	}
	if err := p.store.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, []feedengine.Write{{Shard: 1, Event: &e}}); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return &e
}

// publish appends a post of the author.
func (p *poster) publish(t testing.TB, author, text string, more *feedengine.More, mentions ...string) *feedengine.Post {
	t.Helper()
	kind := feedengine.KindOfPost
	if more != nil && more.Job != nil {
		kind = feedengine.KindOfJob
	}
	return p.event(t, feedengine.Event{
		Kind: feedengine.KindPost, Actor: author, Users: mentions, Post: &feedengine.Post{Kind: kind, Text: text, More: more},
	}).Post
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// log is all that the log of shard 1 holds.
func (p *poster) log(t testing.TB) []*feedengine.Event {
	t.Helper()
	events, err := p.store.ReadLog(t.Context(), 1, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestLogOfChangedPosts: what a log tells of a post stays what was published,
// whatever becomes of the post, as long as the log has the event; and no longer.
func TestLogOfChangedPosts(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	p.tick = feedengine.TickAt(time.Now().Add(-48 * time.Hour))
	media := []feedengine.Media{{URL: "https://x/y?a=1&b=<2>", Type: "image/png", Size: 7}}
	var want []*feedengine.Event
	keep := func(e feedengine.Event) *feedengine.Event {
		done := p.event(t, e)
		want = append(want, done)
		return done
	}
	plain := keep(feedengine.Event{Kind: feedengine.KindPost, Actor: "ann", Post: &feedengine.Post{Kind: "post", Text: "plain"}}).Post
	full := keep(feedengine.Event{
		Kind: feedengine.KindPost, Actor: "ann", Name: "Ann \u2028 \"A\"", Users: []string{"bob", "cid"},
		Post: &feedengine.Post{Kind: feedengine.KindOfJob, Text: "full\x01\\u0000", More: &feedengine.More{
			Media: media, Job: &feedengine.Job{Title: "Baker", Closes: time.Date(2040, 1, 2, 3, 4, 5, 6, time.UTC)}, Alerts: []string{"dan"},
		}},
	}).Post
	nothing := keep(feedengine.Event{Kind: feedengine.KindPost, Actor: "ann", Post: &feedengine.Post{Kind: "post", Text: "nothing", More: &feedengine.More{}}}).Post
	edit := func(post *feedengine.Post, text string, more *feedengine.More) {
		now := *post
		now.Text, now.More, now.Likes = text, more, 4
		keep(feedengine.Event{Kind: feedengine.KindPostEdited, Actor: "ann", Name: "Ann", Post: &now})
	}
	edit(plain, "plain 2", &feedengine.More{Followers: true})
	edit(plain, "plain 3", nil)
	edit(full, "full 2", nil)
	keep(feedengine.Event{Kind: feedengine.KindLike, Actor: "bob", Fact: &feedengine.Like{Post: plain.ID, Owner: "ann", Likes: 1}})
	keep(feedengine.Event{Kind: feedengine.KindComment, Actor: "bob", Fact: &feedengine.Comment{Post: plain.ID, Owner: "ann", Text: "c"}})
	keep(feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: "ann", Target: full.ID, Users: []string{"bob"}})
	same(t, "log", want, p.log(t))

	for id, post := range map[feedengine.ID]*feedengine.Post{
		plain.ID:   {ID: plain.ID, Author: "ann", Kind: "post", Text: "plain 3", Likes: 1, Comments: 1},
		nothing.ID: {ID: nothing.ID, Author: "ann", Kind: "post", Text: "nothing"},
	} {
		got, err := p.store.Post(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "post", post, got)
	}

	row := func(id feedengine.ID) (columns [3]string) {
		if err := database(t, p.store).QueryRow(`SELECT text, coalesce(more, ''), coalesce(event, '') FROM posts WHERE id = ?`, int64(id)).
			Scan(&columns[0], &columns[1], &columns[2]); err != nil {
			t.Fatal(err)
		}
		return columns
	}
	p.tick = feedengine.TickAt(time.Now())
	keep(feedengine.Event{Kind: feedengine.KindMute, Actor: "ann", Users: []string{"bob"}})
	for n := 1; n > 0; {
		var err error
		if n, err = p.store.Trim(t.Context(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "log after a trim", want[len(want)-1:], p.log(t))
	same(t, "row of what was deleted", [3]string{}, row(full.ID))
	same(t, "row of what was edited", [3]string{"plain 3"}, row(plain.ID))
	edit(nothing, "nothing 2", nil)
	same(t, "row of what was edited after the trim", [3]string{"nothing 2"}, row(nothing.ID))
	same(t, "log after all", want[len(want)-2:], p.log(t))
}

// TestLogKeepsFacts: each kind comes back from the log as it was.
func TestLogKeepsFacts(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	var want []*feedengine.Event
	for _, e := range []feedengine.Event{
		{Kind: feedengine.KindFollow, Actor: "ann", Users: []string{"bob"}},
		{Kind: feedengine.KindFollow, Actor: "ann", Name: "Ann", Users: []string{"cid"}, Fact: &feedengine.Following{Notify: true}},
		{Kind: feedengine.KindUnfollow, Actor: "ann", Users: []string{"bob", "cid"}, Fact: &feedengine.Following{Since: []feedengine.ID{1, 2}}},
		{Kind: feedengine.KindUnfollow, Actor: "ann", Users: []string{"bob"}, Fact: &feedengine.Following{}},
		{Kind: feedengine.KindLike, Actor: "ann", Fact: &feedengine.Like{Post: 1, Owner: "bob", Note: 3, Edge: true, Likes: 2, Count: 2, Others: []string{"ann", "x"}}},
		{Kind: feedengine.KindUnlike, Actor: "ann", Name: "\U0010FFFF", Fact: &feedengine.Like{Post: 1, Owner: "bob"}},
		{Kind: feedengine.KindComment, Actor: "ann", Users: []string{"x"}, Fact: &feedengine.Comment{Post: 1, Owner: "bob", Text: "<b>\u202e"}},
		{Kind: feedengine.KindMessage, Actor: "ann", Users: []string{"ann", "bob"}, Fact: &feedengine.Message{Text: "hi", Opens: true, Media: []feedengine.Media{{URL: "u"}}}},
		{Kind: feedengine.KindSeen, Actor: "bob", Users: []string{"ann"}, Fact: &feedengine.Seen{Conversation: 5, Upto: 6, Read: true}},
		{Kind: feedengine.KindBlock, Actor: "ann", Users: []string{"bob"}},
		{Kind: feedengine.KindUnblock, Actor: "ann", Users: []string{"bob"}},
		{Kind: feedengine.KindMute, Actor: "ann", Users: []string{"bob"}},
		{Kind: feedengine.KindUnmute, Actor: "ann", Users: []string{"bob"}},
		{Kind: feedengine.KindProfile, Actor: "ann", Fact: &feedengine.Profile{User: "ann", Handle: "Ann", Name: "A", Email: "e", Phone: "p", Subject: "s", Avatar: "a"}},
		{Kind: feedengine.KindPostDeleted, Actor: "ann", Target: 1, Users: []string{"bob"}},
	} {
		want = append(want, p.event(t, e))
	}
	same(t, "log", want, p.log(t))
}

// TestRefusedFacts tries what could not be read back as it was written, or means
// nothing.
func TestRefusedFacts(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	id := (p.tick + 1).ID(1)
	bad := "a\xff"
	more := func(m feedengine.More) feedengine.Event {
		return feedengine.Event{Kind: feedengine.KindPost, Post: &feedengine.Post{ID: id, Author: "ann", Kind: "post", Text: "x", More: &m}}
	}
	for name, e := range map[string]feedengine.Event{
		"media":           more(feedengine.More{Media: []feedengine.Media{{URL: bad}}}),
		"job":             more(feedengine.More{Job: &feedengine.Job{Title: "\x00"}}),
		"closes":          more(feedengine.More{Job: &feedengine.Job{Title: "x", Closes: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}),
		"alerts":          more(feedengine.More{Alerts: []string{bad}}),
		"name":            {Kind: feedengine.KindMute, Users: []string{"bob"}, Name: bad},
		"mute of two":     {Kind: feedengine.KindMute, Users: []string{"bob", "cid"}},
		"block of nobody": {Kind: feedengine.KindBlock},
		"block oneself":   {Kind: feedengine.KindBlock, Users: []string{"ann"}},
		"no like":         {Kind: feedengine.KindLike},
		"nil like":        {Kind: feedengine.KindLike, Fact: (*feedengine.Like)(nil)},
		"comment as like": {Kind: feedengine.KindLike, Fact: &feedengine.Comment{}},
		"like":            {Kind: feedengine.KindUnlike, Fact: &feedengine.Like{Owner: bad}},
		"likers":          {Kind: feedengine.KindUnlike, Fact: &feedengine.Like{Others: []string{bad}}},
		"comment":         {Kind: feedengine.KindComment, Fact: &feedengine.Comment{Text: bad}},
		"message":         {Kind: feedengine.KindMessage, Fact: &feedengine.Message{Text: bad}},
		"message's media": {Kind: feedengine.KindMessage, Fact: &feedengine.Message{Media: []feedengine.Media{{Type: bad}}}},
		"profile":         {Kind: feedengine.KindProfile, Fact: &feedengine.Profile{Avatar: bad}},
		"no seen":         {Kind: feedengine.KindSeen},
		"follow":          {Kind: feedengine.KindFollow, Users: []string{"bob"}, Fact: &feedengine.Seen{}},
		"since":           {Kind: feedengine.KindUnfollow, Users: []string{"bob"}, Fact: &feedengine.Following{Since: []feedengine.ID{1, 2}}},
		"a post too many": {Kind: feedengine.KindMute, Users: []string{"bob"}, Post: &feedengine.Post{}},
		"edit of itself":  {Kind: feedengine.KindPostEdited, Post: &feedengine.Post{ID: id, Author: "ann"}},
		"edit of another": {Kind: feedengine.KindPostEdited, Post: &feedengine.Post{ID: 1, Author: "bob"}},
		"edit of nothing": {Kind: feedengine.KindPostEdited},
		"edited text":     {Kind: feedengine.KindPostEdited, Post: &feedengine.Post{ID: 1, Author: "ann", Text: bad}},
	} {
		e.Shard, e.Epoch, e.Seq, e.ID, e.Actor = 1, p.head.Epoch, 1, id, "ann"
		err := s.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, []feedengine.Write{{Shard: 1, Event: &e}})
		if !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
	if err := p.post(t, 1); err != nil {
		t.Errorf("a good post afterwards: %v", err)
	}
	p.stored(t)
}

// TestTaken lets profiles take what is unique, without regard to the case of any
// alphabet, give it up and take it over.
func TestTaken(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	put := func(user string, of feedengine.Profile) error {
		before := p.head
		p.tick++
		p.head.Seq++
		p.head.ID = p.tick.ID(1)
		err := s.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, []feedengine.Write{{Shard: 1, Event: &feedengine.Event{
			Shard: 1, Epoch: p.head.Epoch, Seq: p.head.Seq, ID: p.head.ID, Kind: feedengine.KindProfile, Actor: user, Fact: &of,
		}}})
		if err != nil {
			p.head = before
		}
		return err
	}
	if err := put("ann", feedengine.Profile{Handle: "Ann", Email: "ÄNN@X.org", Phone: "+4912345", Subject: "idp|1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(t.Context(), "ann", "$argon2id$x"); err != nil {
		t.Fatal(err)
	}
	for field, of := range map[string]feedengine.Profile{
		"handle": {Handle: "aNN"}, "email": {Email: "änn@x.ORG"}, "phone": {Phone: "+4912345"}, "subject": {Subject: "idp|1"},
	} {
		of.User = "bob"
		if got, err := s.Taken(t.Context(), of); err != nil || got != field {
			t.Errorf("taken: %q, %v, want %q", got, err, field)
		}
		of.User = "ann"
		if got, err := s.Taken(t.Context(), of); err != nil || got != "" {
			t.Errorf("one's own is taken: %q, %v", got, err)
		}
		if err := put("bob", of); !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("%s taken twice: %v", field, err)
		}
		key := feedengine.ProfileKey{Handle: of.Handle, Email: of.Email, Phone: of.Phone, Subject: of.Subject}
		if got, err := s.Profile(t.Context(), key); err != nil || got.User != "ann" || got.Handle != "Ann" {
			t.Errorf("profile by %s: %+v, %v", field, got, err)
		}
		cred, err := s.Login(t.Context(), key)
		if byName := field == "email" || field == "phone"; byName && (err != nil || cred != feedengine.Credentials{User: "ann", Hash: "$argon2id$x"}) ||
			!byName && !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("login by %s: %+v, %v", field, cred, err)
		}
	}
	for range 2 { // nothing is nobody's
		if err := put("ann", feedengine.Profile{Name: "Ann"}); err != nil {
			t.Fatal(err)
		}
		if err := put("bob", feedengine.Profile{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("bob", feedengine.Profile{Handle: "ANN", Phone: "+4912345"}); err != nil {
		t.Errorf("what was given up: %v", err)
	}
	if cred, err := s.Login(t.Context(), feedengine.ProfileKey{Phone: "+4912345"}); err != nil || cred.User != "bob" || cred.Hash != "" {
		t.Errorf("login: %+v, %v", cred, err)
	}
	if _, err := s.Profile(t.Context(), feedengine.ProfileKey{}); !errors.Is(err, feedengine.ErrNotFound) {
		t.Errorf("profile of nobody: %v", err)
	}
	if err := s.SetPassword(t.Context(), "cid", "x"); !errors.Is(err, feedengine.ErrNotFound) {
		t.Errorf("password of nobody: %v", err)
	}
}

// board is a store with some jobs, by title.
func board(t *testing.T, p *poster) map[string]feedengine.ID {
	ids := map[string]feedengine.ID{}
	for _, j := range []struct {
		text string
		job  feedengine.Job
	}{
		{"Bread, pastries and running the ovens", feedengine.Job{Title: "Baker", Category: "Food", Location: "Köln", SalaryMin: 30, SalaryMax: 40, Currency: "EUR"}},
		{"We bake. Bakers wanted for the bakery of a baker", feedengine.Job{Title: "Driver", Category: "food", Location: "Bonn", SalaryMin: 50, Currency: "EUR"}},
		{"C++ and full-stack: \"AND\" or NOT", feedengine.Job{Title: "Engineer", Category: "IT", Location: "köln", SalaryMax: 90, Currency: "USD"}},
		{"", feedengine.Job{Title: "Closed baker", Closes: time.Now().Add(-time.Hour)}},
	} {
		more := &feedengine.More{Job: &j.job}
		ids[j.job.Title] = p.publish(t, "ann", j.text, more).ID
	}
	p.publish(t, "ann", "baker", &feedengine.More{Job: &feedengine.Job{Title: "Baker for followers"}, Followers: true})
	return ids
}

func TestJobs(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	ids := board(t, p)
	for name, c := range map[string]struct {
		ask  feedengine.JobQuery
		want string // titles
	}{
		"all":                {feedengine.JobQuery{}, "Engineer Driver Baker"},
		"closed too":         {feedengine.JobQuery{Closing: true}, "Closed baker Engineer Driver Baker"},
		"category":           {feedengine.JobQuery{Category: "FOOD"}, "Driver Baker"},
		"location":           {feedengine.JobQuery{Location: "KÖLN"}, "Engineer Baker"},
		"both":               {feedengine.JobQuery{Category: "Food", Location: "Köln"}, "Baker"},
		"pays at least":      {feedengine.JobQuery{SalaryMin: 45}, "Engineer Driver"},
		"pays at most":       {feedengine.JobQuery{SalaryMax: 35}, "Engineer Baker"},
		"currency":           {feedengine.JobQuery{Currency: "EUR"}, "Driver Baker"},
		"title before text":  {feedengine.JobQuery{Text: "baker"}, "Baker Driver"},
		"title or place":     {feedengine.JobQuery{Text: "baker food"}, "Baker Driver"},
		"any form":           {feedengine.JobQuery{Text: "Baking"}, "Driver"},
		"all words":          {feedengine.JobQuery{Text: "baker köln"}, "Baker"},
		"without diacritics": {feedengine.JobQuery{Text: "koln"}, "Engineer Baker"},
		"words and filters":  {feedengine.JobQuery{Text: "baker", Category: "food", Location: "bonn", SalaryMin: 50, Currency: "EUR"}, "Driver"},
		"operators":          {feedengine.JobQuery{Text: `"full" NOT OR ^stack`}, "Engineer"},
		"stop words":         {feedengine.JobQuery{Text: "a baker IN Köln"}, "Baker"},
		"only stop words":    {feedengine.JobQuery{Text: "the"}, "Engineer Driver Baker"},
		"a column":           {feedengine.JobQuery{Text: "title:engineer"}, ""},
		"a prefix":           {feedengine.JobQuery{Text: "brea*"}, ""},
		"quotes":             {feedengine.JobQuery{Text: `""" full "stack`}, "Engineer"},
		"no word":            {feedengine.JobQuery{Text: ` "*' ()`}, "Engineer Driver Baker"},
		"in vain":            {feedengine.JobQuery{Text: "baker engineer"}, ""},
		"many words":         {feedengine.JobQuery{Text: strings.Repeat("baker ", 2000)}, "Baker Driver"},
		"many other words":   {feedengine.JobQuery{Text: strings.Repeat("a b ^ NEAR(", 900)}, ""},
		"an apostrophe":      {feedengine.JobQuery{Text: `baker'; DROP TABLE jobs --`}, ""},
	} {
		c.ask.Limit = 10
		page, err := s.Jobs(t.Context(), "bob", c.ask)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, job := range page.Jobs {
			if job.ID != ids[job.More.Job.Title] {
				t.Errorf("%s: another post: %+v", name, job)
			}
			got = append(got, job.More.Job.Title)
		}
		if strings.Join(got, " ") != c.want || page.Next != "" {
			t.Errorf("%s: found %q, next %q, want %q", name, got, page.Next, c.want)
		}
	}
	for _, cursor := range []string{"x", "1", "1.", ".0", "0.0", "1.00", "-1.0", "1.zz", "1.0.0", "1.+1", "1.-1", "9223372036854775808.0", "1.9223372036854775808"} {
		if _, err := s.Jobs(t.Context(), "bob", feedengine.JobQuery{Before: cursor, Limit: 1}); !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// TestJobPages pages through what is found, by words and without, while jobs come
// and go: what was there all the time is there once.
func TestJobPages(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	want := map[feedengine.ID]bool{}
	for i := range 60 {
		job := p.publish(t, "ann", strings.Repeat("bread ", i%7), &feedengine.More{Job: &feedengine.Job{Title: "Baker " + strings.Repeat("oven ", i%3)}})
		want[job.ID] = true
	}
	for _, text := range []string{"", "baker"} {
		for limit := 1; limit < 70; limit += 8 {
			got := map[feedengine.ID]bool{}
			ask := feedengine.JobQuery{Text: text, Limit: limit}
			for pages := 0; ; pages++ {
				page, err := s.Jobs(t.Context(), "bob", ask)
				if err != nil || len(page.Jobs) > limit || pages > len(want) {
					t.Fatalf("page %d of %d: %d jobs, %v", pages, limit, len(page.Jobs), err)
				}
				for _, job := range page.Jobs {
					if got[job.ID] {
						t.Errorf("%q by %d: job %d twice", text, limit, job.ID)
					}
					got[job.ID] = true
				}
				if ask.Before = page.Next; page.Next == "" {
					break
				}
			}
			same(t, fmt.Sprintf("%q by %d", text, limit), want, got)
		}
	}
	first, err := s.Jobs(t.Context(), "bob", feedengine.JobQuery{Text: "baker", Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	last := first.Jobs[19]
	p.event(t, feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: "ann", Target: last.ID})
	rest, err := s.Jobs(t.Context(), "bob", feedengine.JobQuery{Text: "baker", Limit: 100, Before: first.Next})
	if err != nil || len(rest.Jobs) != 40 {
		t.Fatalf("%d jobs after the last one was deleted, %v", len(rest.Jobs), err)
	}
}

// TestJobsChange edits jobs, hides and deletes them: words follow.
func TestJobsChange(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	found := func(when, text, viewer string, want int) {
		t.Helper()
		page, err := s.Jobs(t.Context(), viewer, feedengine.JobQuery{Text: text, Limit: 10})
		if err != nil || len(page.Jobs) != want {
			t.Errorf("%s: %d jobs by %q, %v, want %d", when, len(page.Jobs), text, err, want)
		}
	}
	post := p.publish(t, "ann", "bread", &feedengine.More{Job: &feedengine.Job{Title: "Baker"}})
	edit := func(text string, followers bool) {
		now := *post
		now.Text, now.More = text, &feedengine.More{Job: &feedengine.Job{Title: "Cook"}, Followers: followers}
		p.event(t, feedengine.Event{Kind: feedengine.KindPostEdited, Actor: "ann", Post: &now})
	}
	found("new", "baker", "bob", 1)
	edit("soup", false)
	found("edited", "baker", "bob", 0)
	found("edited", "cook soup", "bob", 1)
	edit("soup", true)
	found("for followers", "soup", "bob", 0)
	found("for followers", "", "bob", 0)
	edit("soup", false)
	found("for all", "soup", "bob", 1)
	p.event(t, feedengine.Event{Kind: feedengine.KindBlock, Actor: "ann", Users: []string{"bob"}})
	found("blocked", "soup", "bob", 0)
	found("blocked", "", "bob", 0)
	found("blocked", "soup", "cid", 1)
	p.event(t, feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: "ann", Target: post.ID})
	found("deleted", "soup", "cid", 0)
	found("deleted", "", "cid", 0)
	edit("soup", false)
	found("edited after it was deleted", "soup", "cid", 0)
}

// TestAlerts asks whose searches a job matches: the same that Jobs would find for
// them.
func TestAlerts(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	queries := []feedengine.JobQuery{
		{}, {Text: "baker"}, {Text: "baking"}, {Text: "full-stack"}, {Text: `"AND" baker`}, {Text: "koln baker"}, {Text: "*"},
		{Category: "FOOD"}, {Location: "köln"}, {Category: "Food", Location: "bonn"}, {SalaryMin: 45}, {SalaryMax: 35},
		{Currency: "EUR"}, {Currency: "USD", Text: "engineer"}, {Text: "oven run", Category: "food"}, {Category: "none"},
	}
	for i, q := range queries {
		for twice := range feedengine.ID(2) {
			if err := s.SaveSearch(t.Context(), fmt.Sprintf("user%02d", i), feedengine.Search{ID: feedengine.ID(10*i+1) + twice, Name: "n", Query: q}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, user := range []string{"ann", "muter", "blocked"} {
		if err := s.SaveSearch(t.Context(), user, feedengine.Search{ID: feedengine.ID(1000 + len(user))}); err != nil {
			t.Fatal(err)
		}
	}
	p.event(t, feedengine.Event{Kind: feedengine.KindMute, Actor: "muter", Users: []string{"ann"}})
	p.event(t, feedengine.Event{Kind: feedengine.KindBlock, Actor: "ann", Users: []string{"blocked"}})
	for title, id := range board(t, p) {
		job, err := s.Post(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, q := range queries {
			q.Limit, q.Closing = 10, true
			page, err := s.Jobs(t.Context(), "", q)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range page.Jobs {
				if found.ID == id {
					want = append(want, fmt.Sprintf("user%02d", i))
				}
			}
		}
		got, err := s.Alerts(t.Context(), job)
		if err != nil || len(want) < 3 || len(want) == len(queries) {
			t.Fatalf("%s: %d matches, %v", title, len(want), err)
		}
		same(t, title, want, got)
	}
	hidden := &feedengine.Post{Kind: feedengine.KindOfJob, Author: "x", More: &feedengine.More{Job: &feedengine.Job{Title: "Baker"}, Followers: true}}
	for what, job := range map[string]*feedengine.Post{"a job for followers": hidden, "no job": {Kind: "post", Author: "x", Text: "baker"}} {
		if got, err := s.Alerts(t.Context(), job); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

// TestSearches saves as many as there may be, and drops one's own only.
func TestSearches(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	ctx := t.Context()
	var want []feedengine.Search
	for i := range feedengine.MaxSearches {
		search := feedengine.Search{ID: feedengine.ID(i + 1), Name: fmt.Sprint("<", i), Query: feedengine.JobQuery{
			Text: `"x`, Category: "Ä", Location: "L", SalaryMin: 1, SalaryMax: 2, Currency: "EUR", Closing: i%2 == 0,
		}}
		want = append(want, search)
		if err := s.SaveSearch(ctx, "ann", search); err != nil {
			t.Fatal(err)
		}
	}
	for user, search := range map[string]feedengine.Search{"ann": {ID: 999}, "bob": {ID: 1}, "cid": {ID: 1000, Name: "\xff"}} {
		if err := s.SaveSearch(ctx, user, search); !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("search %d of %s: %v", search.ID, user, err)
		}
	}
	got, err := s.Searches(ctx, "ann")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "searches", want, got)
	for user, id := range map[string]feedengine.ID{"bob": 3, "ann": 51} {
		if err := s.DropSearch(ctx, user, id); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("%s drops %d: %v", user, id, err)
		}
	}
	if err := s.DropSearch(ctx, "ann", 3); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSearch(ctx, "ann", feedengine.Search{ID: 51}); err != nil {
		t.Errorf("a search in the place of another: %v", err)
	}
}
