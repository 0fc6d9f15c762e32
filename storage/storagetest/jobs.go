package storagetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

func runJobs(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Filters", testJobFilters},
		{"Text", testJobText},
		{"Pages", testJobPages},
		{"ComeAndGo", testJobsComeAndGo},
		{"Alerts", testAlerts},
		{"Searches", testSearches},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// titles finds jobs and lists their titles.
func titles(t testing.TB, s storage.Full, viewer string, query feedengine.JobQuery) (list []string) {
	t.Helper()
	if query.Limit == 0 {
		query.Limit = 100
	}
	page, err := s.Jobs(t.Context(), viewer, query)
	if err != nil {
		t.Fatalf("%+v: %v", query, err)
	}
	for _, p := range page.Jobs {
		list = append(list, p.More.Job.Title)
	}
	return list
}

func testJobFilters(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, j := range []feedengine.Job{
		{Title: "A", Category: "Kitchen", Location: "São Paulo", SalaryMin: 100, SalaryMax: 200, Currency: "EUR"},
		{Title: "B", Category: "kitchen", Location: "Bonn", SalaryMin: 150, Currency: "USD"},
		{Title: "C", Category: "O'Brien & | ! \\ <->", Location: "Bonn", Closes: now.Add(time.Hour)},
		{Title: "D", Category: "garden", Location: "Bonn", SalaryMin: 300, SalaryMax: 400, Currency: "EUR", Closes: now.Add(-time.Hour)},
	} {
		w.more("alice", "words", feedengine.More{Job: &j})
	}
	w.more("alice", "words", feedengine.More{Job: &feedengine.Job{Title: "followers"}, Followers: true})
	w.more("bob", "words", feedengine.More{Job: &feedengine.Job{Title: "bob's", Location: "Bonn"}})
	w.post("alice", "words but no job")
	w.hide(feedengine.KindBlock, "bob", "viewer")
	w.hide(feedengine.KindMute, "muter", "alice")
	w.commit(t)
	for _, c := range []struct {
		viewer string
		query  feedengine.JobQuery
		want   string
	}{
		{"viewer", feedengine.JobQuery{}, "C B A"},
		{"", feedengine.JobQuery{}, "bob's C B A"},
		{"muter", feedengine.JobQuery{}, "bob's"},
		{"viewer", feedengine.JobQuery{Closing: true}, "D C B A"},
		{"viewer", feedengine.JobQuery{Now: now.Add(2 * time.Hour)}, "B A"},
		{"viewer", feedengine.JobQuery{ClosesBy: now.Add(time.Hour)}, "C"},
		{"viewer", feedengine.JobQuery{ClosesBy: now.Add(time.Hour - time.Millisecond)}, ""},
		{"viewer", feedengine.JobQuery{ClosesBy: now.Add(time.Hour), Closing: true}, "D C"},
		{"viewer", feedengine.JobQuery{Category: "KITCHEN"}, "B A"},
		{"viewer", feedengine.JobQuery{Category: "kitch"}, ""},
		{"viewer", feedengine.JobQuery{Location: "são paulo"}, "A"},
		{"", feedengine.JobQuery{Location: "bonn"}, "bob's C B"},
		{"viewer", feedengine.JobQuery{Category: "kitchen", Location: "bonn"}, "B"},
		{"viewer", feedengine.JobQuery{Category: "o'brien & | ! \\ <->"}, "C"},
		{"viewer", feedengine.JobQuery{SalaryMin: 150}, "B A"},
		{"viewer", feedengine.JobQuery{SalaryMin: 151}, "A"},
		{"viewer", feedengine.JobQuery{SalaryMin: 201}, ""},
		{"viewer", feedengine.JobQuery{SalaryMin: 50, SalaryMax: 120}, "A"},
		{"viewer", feedengine.JobQuery{Currency: "USD"}, "B"},
		{"viewer", feedengine.JobQuery{Currency: "eur"}, ""},
	} {
		if c.query.Now.IsZero() {
			c.query.Now = now
		}
		want := strings.Fields(c.want)
		same(t, fmt.Sprintf("%s: %+v", c.viewer, c.query), want, titles(t, s, c.viewer, c.query))
		c.query.Text = "words" // the same by words
		same(t, fmt.Sprintf("%s: %+v", c.viewer, c.query), want, titles(t, s, c.viewer, c.query))
	}
}

// testJobText: words that all must occur, in whatever form; everything else in a
// text is nothing.
func testJobText(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	for title, text := range map[string]string{
		"Baker":            "Golang/Rust engineers wanted, C++ too. <b>Bold</b>",
		"Senior gardener":  "Plants 10 roses; speaks Русский",
		"Driver":           "a baker's van",
		"Nothing to match": "quiet",
	} {
		w.more("alice", text, feedengine.More{Job: &feedengine.Job{Title: title, Location: "Bonn", Category: "Trade"}})
	}
	w.commit(t)
	for text, want := range map[string]string{
		"gardener": "Senior gardener", "gardeners": "Senior gardener", "GARDENER senior": "Senior gardener",
		"rust": "Baker", "golang": "Baker", "engineer": "Baker", "Rust, golang!": "Baker",
		"rose 10": "Senior gardener", "русский": "Senior gardener",
		"driver & !baker": "Driver", `"driver" | gardener`: "", "baker:*": "Baker Driver", "bak": "", "quiet<->match": "Nothing to match",
		"quiet gardener": "", "'); DROP TABLE jobs; --": "", "NOT quiet": "Nothing to match", "title:baker": "",
		"=c:trade":                     "Baker", // for its C++
		strings.Repeat("quiet ", 1500): "Nothing to match",
		"nul\x00quiet":                 "", "quiet \xff": "Nothing to match", "quiet\x00": "Nothing to match",
	} {
		got := map[string]bool{}
		for _, title := range titles(t, s, "x", feedengine.JobQuery{Text: text, Location: "bonn"}) {
			got[title] = true
		}
		n := 0
		for _, title := range []string{"Baker", "Senior gardener", "Driver", "Nothing to match"} {
			if strings.Contains(want, title) {
				n++
				if !got[title] {
					t.Errorf("%.40q does not find %s", text, title)
				}
			}
		}
		if len(got) != n {
			t.Errorf("%.40q finds %v, want %s", text, got, want)
		}
	}
	if got := titles(t, s, "x", feedengine.JobQuery{Text: " \t!& ' \" "}); len(got) != 4 {
		t.Errorf("a text without a word selects away: %v", got)
	}
	same(t, "the best first", []string{"Baker", "Driver"}, titles(t, s, "x", feedengine.JobQuery{Text: "baker"}))
}

// testJobPages walks over pages, with text and without, while jobs come.
func testJobPages(t *testing.T, h Harness) {
	const many = 50
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	for i := range many {
		w.more("alice", strings.Repeat("rose ", 1+i%3), feedengine.More{Job: &feedengine.Job{Title: fmt.Sprint("job", i), Category: "c"}})
	}
	w.commit(t)
	for _, query := range []feedengine.JobQuery{{}, {Text: "rose"}, {Text: "rose", Category: "C"}, {Category: "c"}} {
		all := titles(t, s, "x", query)
		if len(all) != many {
			t.Fatalf("%+v: %d jobs", query, len(all))
		}
		var got []string
		query.Limit = 7
		for {
			page, err := s.Jobs(t.Context(), "x", query)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Jobs {
				got = append(got, p.More.Job.Title)
			}
			if page.Next == "" {
				break
			}
			if len(page.Jobs) != query.Limit {
				t.Fatalf("%+v: a page of %d", query, len(page.Jobs))
			}
			query.Before = page.Next
		}
		same(t, fmt.Sprintf("%+v", query), all, got)
		for _, bad := range []string{"x", ":", "1:x", "-1", strings.Repeat("9", 40), "'"} {
			query.Before = bad
			if _, err := s.Jobs(t.Context(), "x", query); !errors.Is(err, feedengine.ErrRefused) {
				t.Errorf("before %q: %v, want ErrRefused", bad, err)
			}
		}
	}
	if page, err := s.Jobs(t.Context(), "x", feedengine.JobQuery{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("a limit of 0: %+v, %v", page, err)
	}
}

// testJobsComeAndGo edits and deletes jobs.
func testJobsComeAndGo(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	p := w.more("alice", "roses", feedengine.More{Job: &feedengine.Job{Title: "old", Category: "c"}})
	other := w.more("alice", "roses", feedengine.More{Job: &feedengine.Job{Title: "deleted at once"}})
	w.delete("alice", other.ID)
	now := *p
	edit := func(title, text string, followers bool) {
		more := feedengine.More{Job: &feedengine.Job{Title: title, Category: "d"}, Followers: followers}
		now.Text, now.More = text, &more
		w.edit(now)
	}
	expect := func(when string, query feedengine.JobQuery, want ...string) {
		t.Helper()
		w.commit(t)
		same(t, when, want, titles(t, s, "x", query))
	}
	expect("published", feedengine.JobQuery{Text: "roses"}, "old")
	edit("new", "tulips", false)
	expect("edited, by its old text", feedengine.JobQuery{Text: "roses"})
	expect("edited", feedengine.JobQuery{Text: "tulips new"}, "new")
	expect("edited, by its old category", feedengine.JobQuery{Category: "c"})
	expect("edited, by category", feedengine.JobQuery{Category: "D"}, "new")
	edit("new", "tulips", true)
	expect("for followers", feedengine.JobQuery{})
	edit("newer", "tulips", false)
	expect("public again", feedengine.JobQuery{Category: "d", Text: "tulip"}, "newer")
	w.delete("alice", p.ID)
	expect("deleted", feedengine.JobQuery{})
	expect("deleted, by its text", feedengine.JobQuery{Text: "tulips"})
}

// testAlerts matches a job with saved searches.
func testAlerts(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	w.hide(feedengine.KindMute, "muter", "alice")
	w.hide(feedengine.KindBlock, "alice", "blocked")
	w.commit(t)
	id := feedengine.ID(1000)
	for user, q := range map[string]feedengine.JobQuery{
		"any": {}, "text": {Text: "baking bread"}, "title": {Text: "bakers"}, "nowords": {Text: "!!"}, "other": {Text: "baker car"},
		"category": {Category: "KITCHEN", Text: "bread"}, "garden": {Category: "garden"}, "bonn": {Location: "bonn"}, "both": {Location: "Bonn", Category: "kitchen"},
		"köln": {Location: "Köln"}, "rich": {SalaryMin: 201}, "fits": {SalaryMin: 200, SalaryMax: 100}, "poor": {SalaryMax: 99},
		"eur": {Currency: "EUR"}, "usd": {Currency: "USD"}, "muter": {}, "blocked": {}, "alice": {},
	} {
		for range 2 {
			id++
			if err := s.SaveSearch(t.Context(), user, feedengine.Search{ID: id, Query: q}); err != nil {
				t.Fatal(err)
			}
		}
	}
	job := feedengine.Post{
		ID: 1, Author: "alice", Kind: feedengine.KindOfJob, Text: "bakes all sorts of breads",
		More: &feedengine.More{Job: &feedengine.Job{Title: "Baker", Category: "Kitchen", Location: "Bonn", SalaryMin: 100, SalaryMax: 200, Currency: "EUR"}},
	}
	got, err := s.Alerts(t.Context(), &job)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "alerts", []string{"any", "bonn", "both", "category", "eur", "fits", "nowords", "text", "title"}, got)
	job.More.Followers = true
	if got, err := s.Alerts(t.Context(), &job); err != nil || len(got) != 0 {
		t.Errorf("a job for followers alerts %v, %v", got, err)
	}
}

// testSearches saves, lists and drops.
func testSearches(t *testing.T, h Harness) {
	s := h.full(t, 4)
	ctx := t.Context()
	var want []feedengine.Search
	for i := range feedengine.MaxSearches {
		of := feedengine.Search{ID: feedengine.ID(100 + i), Name: fmt.Sprint("näme ", i), Query: feedengine.JobQuery{
			Text: "'a' & <b>", Category: "Cat", Location: "Loc", SalaryMin: 1, SalaryMax: 2, Currency: "EUR",
		}}
		want = append(want, of)
		of.Query.Now, of.Query.Before, of.Query.Limit = time.Now(), "x", 5 // are not saved
		if err := s.SaveSearch(ctx, "alice", of); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when string) {
		t.Helper()
		got, err := s.Searches(ctx, "alice")
		if err != nil {
			t.Fatal(err)
		}
		same(t, when, want, got)
	}
	expect("saved")
	if err := s.SaveSearch(ctx, "alice", feedengine.Search{ID: 999}); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("one too many: %v, want ErrRefused", err)
	}
	if err := s.SaveSearch(ctx, "bob", feedengine.Search{ID: 100}); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("an id that is taken: %v, want ErrRefused", err)
	}
	for user, id := range map[string]feedengine.ID{"bob": 100, "alice": 5} {
		if err := s.DropSearch(ctx, user, id); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("%s drops %d: %v, want ErrNotFound", user, id, err)
		}
	}
	expect("nothing dropped")
	if err := s.DropSearch(ctx, "alice", 100); err != nil {
		t.Fatal(err)
	}
	want = want[1:]
	expect("one dropped")
	if err := s.SaveSearch(ctx, "alice", feedengine.Search{ID: 999}); err != nil {
		t.Errorf("one again: %v", err)
	}
}
