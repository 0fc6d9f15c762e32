package postgres

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// words are the words of a text, in lower case and with a space between them. All
// else is gone, in what is searched as in what is searched for: no operator, no
// quote and none of the places where Postgres would see a path, a host or a sign.
func words(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	}), " ")
}

// A filter's words stand among a job's words and cannot be typed: they begin with =.
func filterWords(category, location, currency string) []string {
	var all []string
	for _, f := range []struct{ mark, value string }{{"=c:", category}, {"=l:", location}, {"=m:", currency}} {
		if f.value != "" {
			all = append(all, f.mark+strings.ReplaceAll(f.value, "\n", " "))
		}
	}
	return all
}

// filterQuery is the text of a tsquery for all the filter's words.
func filterQuery(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(w) + "'"
	}
	return strings.Join(quoted, " & ")
}

// jobRow is a job as the table jobs has it.
type jobRow struct {
	id                 feedengine.ID
	author             string
	category, location string
	least, most        int64 // what it pays
	currency           string
	closes             *time.Time // nil: open
	title, places      string     // their words
	text               string
}

func newJobRow(p *feedengine.Post) jobRow {
	j := p.More.Job
	r := jobRow{
		id: p.ID, author: p.Author, category: strings.ToLower(j.Category), location: strings.ToLower(j.Location),
		least: j.SalaryMin, most: max(j.SalaryMin, j.SalaryMax), currency: j.Currency,
		title: words(j.Title), places: words(j.Location + " " + j.Category), text: words(p.Text),
	}
	if !j.Closes.IsZero() {
		r.closes = &j.Closes
	}
	return r
}

func (f *facts) queueJobs(b *pgx.Batch) {
	var gone []int64
	var rows []jobRow
	for _, id := range sorted(f.jobs, compareIDs, func(*feedengine.Post) bool { return true }) {
		if p := f.jobs[id]; p != nil {
			rows = append(rows, newJobRow(p))
		} else {
			gone = append(gone, int64(id))
		}
	}
	if len(gone) > 0 {
		b.Queue(q.DropJobs, gone)
	}
	if len(rows) > 0 {
		b.Queue(q.PutJobs,
			column(rows, func(r jobRow) int64 { return int64(r.id) }),
			column(rows, func(r jobRow) string { return r.author }),
			column(rows, func(r jobRow) string { return r.category }),
			column(rows, func(r jobRow) string { return r.location }),
			column(rows, func(r jobRow) int64 { return r.least }),
			column(rows, func(r jobRow) int64 { return r.most }),
			column(rows, func(r jobRow) string { return r.currency }),
			column(rows, func(r jobRow) *time.Time { return r.closes }),
			column(rows, func(r jobRow) string { return r.title }),
			column(rows, func(r jobRow) string { return r.places }),
			column(rows, func(r jobRow) string { return r.text }),
			column(rows, func(r jobRow) string {
				return strings.Join(filterWords(r.category, r.location, r.currency), "\n")
			}))
	}
}

// Jobs finds jobs. See storage.Social. A text without a word selects nothing away.
func (s *Store) Jobs(ctx context.Context, viewer string, query feedengine.JobQuery) (*feedengine.JobPage, error) {
	page := &feedengine.JobPage{}
	if query.Limit <= 0 {
		return page, nil
	}
	from, err := readJobCursor(query.Before)
	if err != nil {
		return nil, err
	}
	now := query.Now
	if now.IsZero() {
		now = time.Now()
	}
	var by *time.Time
	if !query.ClosesBy.IsZero() {
		by = &query.ClosesBy
	}
	category, location := strings.ToLower(query.Category), strings.ToLower(query.Location)
	var b pgx.Batch
	var found jobScan
	if text := words(query.Text); text != "" {
		filters := filterQuery(filterWords(category, location, query.Currency))
		b.Queue(q.ScanBitmaps)
		b.Queue(q.JobsByWords, viewer, text, filters, query.SalaryMin, query.SalaryMax, query.Closing, now,
			from.rank, int64(from.id), query.Limit+1, by).Query(found.scan)
	} else {
		newest := q.JobsNewest
		switch {
		case category != "" && location != "":
			newest = q.JobsOfBoth
		case category != "":
			newest = q.JobsOfCategory
		case location != "":
			newest = q.JobsAtLocation
		}
		b.Queue(newest, viewer, category, location, query.SalaryMin, query.SalaryMax, query.Closing, now,
			query.Currency, int64(from.id), query.Limit+1, by).Query(found.scan)
	}
	if err := s.read(ctx, s.ops.jobs, &b); err != nil {
		return nil, err
	}
	page.Jobs = found.posts
	if n := query.Limit; len(found.posts) > n {
		page.Jobs = found.posts[:n]
		page.Next = jobCursor{rank: found.ranks[n-1], id: found.posts[n-1].ID}.String()
	}
	return page, nil
}

// jobScan collects what a job query found.
type jobScan struct {
	posts []*feedengine.Post
	ranks []float32
}

func (s *jobScan) scan(rows pgx.Rows) error {
	for rows.Next() {
		var rank float32
		p := &feedengine.Post{}
		if err := rows.Scan(append([]any{&rank}, postFields(p)...)...); err != nil {
			return err
		}
		s.posts, s.ranks = append(s.posts, p), append(s.ranks, rank)
	}
	return rows.Err()
}

// jobCursor is the last job of a page: the next one begins below it. Its text is
// the rank's bits, so that it is exact, and the id.
type jobCursor struct {
	rank float32
	id   feedengine.ID
}

func (c jobCursor) String() string {
	return strconv.FormatUint(uint64(math.Float32bits(c.rank)), 16) + ":" + c.id.String()
}

// readJobCursor reads one; "" is from the start.
func readJobCursor(text string) (jobCursor, error) {
	if text == "" {
		return jobCursor{rank: math.MaxFloat32, id: feedengine.MaxID}, nil
	}
	rank, id, _ := strings.Cut(text, ":")
	bits, err := strconv.ParseUint(rank, 16, 32)
	if err != nil || math.IsNaN(float64(math.Float32frombits(uint32(bits)))) {
		return jobCursor{}, fmt.Errorf("postgres: jobs before %q: %w", text, feedengine.ErrRefused)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return jobCursor{}, fmt.Errorf("postgres: jobs before %q: %w", text, feedengine.ErrRefused)
	}
	return jobCursor{rank: math.Float32frombits(uint32(bits)), id: feedengine.ID(n)}, nil
}

// Alerts returns the users of whose saved searches one matches the job. See
// storage.Decisions. A job that not everybody may see is found by no search.
func (s *Store) Alerts(ctx context.Context, job *feedengine.Post) ([]string, error) {
	if !onBoard(job) {
		return nil, nil
	}
	r := newJobRow(job)
	var b pgx.Batch
	users := queueList[string](&b, q.Alerts, r.author, r.category, r.location, r.least, r.most, r.currency,
		r.title, r.places, r.text, feedengine.MaxAlerts)
	if err := s.read(ctx, s.ops.alerts, &b); err != nil {
		return nil, err
	}
	return *users, nil
}
