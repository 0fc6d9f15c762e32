package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/feedgate/feedgate/feedengine"
)

// putJob puts a post onto the jobs board if it is a job for everybody.
func putJob(ctx context.Context, c *conn, p *feedengine.Post) error {
	if !onBoard(p) {
		return nil
	}
	j := p.More.Job
	var closes value
	if !j.Closes.IsZero() {
		closes = j.Closes.UnixMicro()
	}
	if _, err := c.exec(ctx, insertJob, int64(p.ID), p.Author, strings.ToLower(j.Category), strings.ToLower(j.Location),
		j.SalaryMin, max(j.SalaryMin, j.SalaryMax), j.Currency, closes); err != nil {
		return err
	}
	_, err := c.exec(ctx, insertJobWords, int64(p.ID), j.Title, placeOf(j), p.Text)
	return err
}

// onBoard reports whether the post is a job for everybody.
func onBoard(p *feedengine.Post) bool {
	return p.Kind == feedengine.KindOfJob && p.More != nil && p.More.Job != nil && !p.More.Followers
}

// dropJobOf takes a post off the jobs board, if it is there.
func dropJobOf(ctx context.Context, c *conn, id feedengine.ID) error {
	n, err := c.exec(ctx, dropJob, int64(id))
	if err != nil || n == 0 {
		return err
	}
	_, err = c.exec(ctx, dropJobWords, int64(id))
	return err
}

// placeOf is what is searched of a job beside its title and text.
func placeOf(j *feedengine.Job) string { return j.Category + " " + j.Location }

// stopWords select nothing away: nobody who searches for "a baker in Bonn" means
// them. They are those of the Snowball project for English, as Postgres has them,
// so that both stores find the same.
// (https://snowballstem.org/algorithms/english/stop.txt)
var stopWords = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her
hers herself it its itself they them their theirs themselves what which who whom this that these
those am is are was were be been being have has had having do does did doing a an the and but if or
because as until while of at by for with about against between into through during before after
above below to from up down in out on off over under again further then once here there when where
why how all any both each few more most other some such no nor not only own same so than too very s
t can will just don should now`) {
		words[w] = true
	}
	return words
}()

// wordsOf are the different words of a text, lower case, but for stop words. At
// anything else FTS5 would split them too.
func wordsOf(text string) []string {
	var words []string
	seen := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	}) {
		if !seen[w] && !stopWords[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

// allOf is what FTS5 is asked for all of the words: each in quotes, so that none is
// an operator. "": there are none.
// (https://www.sqlite.org/fts5.html#full_text_query_syntax)
func allOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return `"` + strings.Join(words, `" "`) + `"`
}

// What a word scores that stands in a job's title, and in its category or location.
//
// It is not bm25: that depends on all the other jobs, so that each one which comes
// or goes moves those that a search has found already across the borders of its
// pages. A score of a job alone lets the pages join exactly.
const (
	titleScore  = 10
	placeScore  = 4
	scoredWords = 8 // those after them select, but do not score: each costs two queries
)

// scoresOf is what is asked to score the jobs that have all the words.
func scoresOf(words []string) string {
	asked := allOf(words)
	scores := make([][2]any, 0, 2*scoredWords)
	for _, w := range words[:min(len(words), scoredWords)] {
		scores = append(scores,
			[2]any{`(` + asked + `) AND title : "` + w + `"`, titleScore},
			[2]any{`(` + asked + `) AND place : "` + w + `"`, placeScore})
	}
	return array(scores)
}

// Jobs returns a page of the jobs that are asked for: see storage.Social.
func (s *Store) Jobs(ctx context.Context, viewer string, ask feedengine.JobQuery) (*feedengine.JobPage, error) {
	page := &feedengine.JobPage{}
	after, err := cursorOf(ask.Before)
	if err != nil || ask.Limit <= 0 {
		return page, err
	}
	var scores []int64
	err = s.ask(ctx, s.ops.jobs, func(c *conn) error {
		q, args := jobsQuery(viewer, ask, after)
		return c.each(ctx, q, func(row []value) error {
			p, err := postOf(row[1:])
			page.Jobs = append(page.Jobs, p)
			scores = append(scores, row[0].(int64))
			return err
		}, args...)
	})
	if err != nil {
		return nil, err
	}
	if n := ask.Limit; len(page.Jobs) > n {
		page.Jobs = page.Jobs[:n]
		page.Next = jobCursor{page.Jobs[n-1].ID, scores[n-1]}.String()
	}
	return page, nil
}

// jobsQuery chooses the way into the jobs board.
func jobsQuery(viewer string, ask feedengine.JobQuery, after jobCursor) (query, []value) {
	category, location := strings.ToLower(ask.Category), strings.ToLower(ask.Location)
	open := ask.Now.UnixMicro() // those that close later
	switch {
	case ask.Closing:
		open = math.MinInt64
	case ask.Now.IsZero():
		open = time.Now().UnixMicro()
	}
	var by value // those that close then or before
	if !ask.ClosesBy.IsZero() {
		by = ask.ClosesBy.UnixMicro()
	}
	args := []value{int64(more(ask.Limit)), viewer, category, location, ask.SalaryMin, ask.SalaryMax, ask.Currency, open, int64(after.id), by}
	if words := wordsOf(ask.Text); len(words) > 0 {
		return jobsMatching, append(args, allOf(words), after.score, scoresOf(words))
	}
	args[8] = below(after.id)
	switch {
	case category != "" && location != "":
		return jobsInAt, args
	case category != "":
		return jobsIn, args
	case location != "":
		return jobsAt, args
	}
	return jobsNewest, args
}

// jobCursor is the last job of a page and its score, 0 without words.
type jobCursor struct {
	id    feedengine.ID
	score int64
}

func (c jobCursor) String() string { return fmt.Sprintf("%d.%d", c.id, c.score) }

func cursorOf(text string) (c jobCursor, err error) {
	if text == "" {
		return c, nil
	}
	id, score, _ := strings.Cut(text, ".")
	if c.id, err = feedengine.ParseID(id); err == nil {
		c.score, err = strconv.ParseInt(score, 10, 64)
	}
	if err != nil || c.score < 0 || c.String() != text {
		return c, fmt.Errorf("sqlite: jobs: %w: not a page of jobs: %q", feedengine.ErrRefused, text)
	}
	return c, nil
}

// searchQuery is how a search's query is stored. Names never change their meaning.
type searchQuery struct {
	Text      string `json:"q,omitempty"`
	Category  string `json:"category,omitempty"`
	Location  string `json:"location,omitempty"`
	SalaryMin int64  `json:"salary_min,omitempty"`
	SalaryMax int64  `json:"salary_max,omitempty"`
	Currency  string `json:"currency,omitempty"`
	Closing   bool   `json:"closing,omitempty"`
}

// SaveSearch saves a search: see storage.Accounts.
func (s *Store) SaveSearch(ctx context.Context, user string, search feedengine.Search) error {
	defer s.ops.saveSearch.done(time.Now(), 1)
	return s.write(ctx, "save search", func(ctx context.Context, c *conn) error {
		q := search.Query
		if !clean(user, search.Name, q.Text, q.Category, q.Location, q.Currency) {
			return refused("text that is not UTF-8 without U+0000")
		}
		n, err := c.exec(ctx, saveSearch, int64(search.ID), user, search.Name,
			object(searchQuery{q.Text, q.Category, q.Location, q.SalaryMin, q.SalaryMax, q.Currency, q.Closing}),
			strings.ToLower(q.Category), strings.ToLower(q.Location), q.SalaryMin, q.SalaryMax, q.Currency, allOf(wordsOf(q.Text)),
			int64(feedengine.MaxSearches))
		if err == nil && n == 0 {
			return refused("the user has %d searches", feedengine.MaxSearches)
		}
		return err
	})
}

// DropSearch deletes a search: see storage.Accounts.
func (s *Store) DropSearch(ctx context.Context, user string, id feedengine.ID) error {
	defer s.ops.dropSearch.done(time.Now(), 1)
	return s.write(ctx, "drop search", func(ctx context.Context, c *conn) error {
		n, err := c.exec(ctx, dropSearch, user, int64(id))
		if err == nil && n == 0 {
			return feedengine.ErrNotFound
		}
		return err
	})
}

// Searches lists the user's searches in the order in which they were saved: see
// storage.Social.
func (s *Store) Searches(ctx context.Context, user string) (all []feedengine.Search, err error) {
	err = s.ask(ctx, s.ops.searches, func(c *conn) error {
		return c.each(ctx, searchesOf, func(row []value) error {
			var q searchQuery
			err := readJSON(row[2], &q)
			all = append(all, feedengine.Search{ID: feedengine.ID(row[0].(int64)), Name: row[1].(string), Query: feedengine.JobQuery{
				Text: q.Text, Category: q.Category, Location: q.Location,
				SalaryMin: q.SalaryMin, SalaryMax: q.SalaryMax, Currency: q.Currency, Closing: q.Closing,
			}})
			return err
		}, user)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Alerts finds whose searches the job matches: see storage.Decisions. Which they
// may be, the database says; each different text of them is then asked of a
// database in memory, which holds the one job.
func (s *Store) Alerts(ctx context.Context, job *feedengine.Post) (users []string, err error) {
	if !onBoard(job) {
		return nil, nil
	}
	j := job.More.Job
	err = s.ask(ctx, s.ops.alerts, func(c *conn) error {
		text := &jobText{job: job, asked: map[string]bool{}}
		defer text.close()
		found := map[string]bool{}
		return c.each(ctx, searchesFor, func(row []value) error {
			user := row[0].(string)
			if len(users) == feedengine.MaxAlerts || found[user] {
				return nil
			}
			matches, err := text.matches(ctx, row[1].(string))
			if matches {
				found[user] = true
				users = append(users, user)
			}
			return err
		}, strings.ToLower(j.Category), strings.ToLower(j.Location), j.SalaryMin, max(j.SalaryMin, j.SalaryMax), j.Currency, job.Author)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(users)
	return users, nil
}

// jobText answers whether one job has the words of searches.
type jobText struct {
	job   *feedengine.Post
	db    *conn           // nil until it is needed
	asked map[string]bool // what has been found out
}

func (t *jobText) close() {
	if t.db != nil {
		t.db.close() // nothing in it matters
	}
}

// matches reports whether the job has all the words; asked is as allOf made it.
func (t *jobText) matches(ctx context.Context, asked string) (bool, error) {
	if asked == "" {
		return true, nil
	}
	if matches, known := t.asked[asked]; known {
		return matches, nil
	}
	if t.db == nil {
		if err := t.open(ctx); err != nil {
			return false, err
		}
	}
	matches, err := t.db.any(ctx, jobTextMatches, asked)
	t.asked[asked] = matches
	return matches, err
}

func (t *jobText) open(ctx context.Context) (err error) {
	if t.db, err = openConn(ctx, ":memory:"); err != nil {
		return err
	}
	if _, err := t.db.exec(ctx, makeJobText); err != nil {
		return err
	}
	j := t.job.More.Job
	_, err = t.db.exec(ctx, insertJobText, j.Title, placeOf(j), t.job.Text)
	return err
}
