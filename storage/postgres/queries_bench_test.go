package postgres

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// scale is the size of BenchmarkQueries' data set: 1 is 100,000 users with profiles,
// 1,000,000 posts, 5,000,000 follows, 1,000,000 messages and 200,000 jobs.
var scale = flag.Float64("scale", 0.05, "BenchmarkQueries: the size of the data set; 1 is 100,000 users")

// sized is n of the data set, at its scale.
func sized(n int) int { return max(10, int(float64(n)**scale)) }

// BenchmarkQueries makes the data set and measures what users wait for, each call
// for another user or search, beside what it should take. See make bench-queries.
func BenchmarkQueries(b *testing.B) {
	url := storagetest.Postgres(b)
	if err := Migrate(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(b.Context()) })
	s, err := Open(b.Context(), Config{URL: url, Node: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	generate(b, conn)

	const calls = 300
	rnd := rand.New(rand.NewPCG(1, 2))
	user := func() string { // as often one of the busiest hundredth as any
		n := sized(100_000)
		if rnd.IntN(2) == 0 {
			n = max(1, n/100)
		}
		return fmt.Sprint("u", rnd.IntN(n))
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "query\tmedian ms\tp99 ms\ttarget ms\tby index\t")
	ctx := b.Context()
	for _, c := range []struct {
		name   string
		target time.Duration
		plans  []string // of queries
		call   func() (found int, err error)
	}{
		{"a bare round trip", 0, nil, func() (int, error) { return 1, s.Ping(ctx) }},
		{"login look-up", 5 * time.Millisecond, []string{"LoginByEmail"}, func() (int, error) {
			c, err := s.Login(ctx, feedengine.ProfileKey{Email: strings.ToUpper(user()) + "@example.org"})
			return len(c.User), err
		}},
		{"feed page of 20", 10 * time.Millisecond, []string{"Feed"}, func() (int, error) {
			page, err := s.Feed(ctx, user(), 0, 20)
			if err != nil {
				return 0, err
			}
			return len(page.Posts), nil
		}},
		{"unread counters", 10 * time.Millisecond, []string{"Heads", "Follows", "Unread"}, func() (int, error) {
			snap, err := s.Load(ctx, []feedengine.LoadUser{{User: user()}}, 200)
			if err != nil {
				return 0, err
			}
			u := snap.Users[0]
			return u.Feed.Total + u.Notes.Total + len(u.Chats), nil
		}},
		{"conversation list of 20", 10 * time.Millisecond, []string{"Conversations"}, func() (int, error) {
			page, err := s.Conversations(ctx, user(), 0, 20)
			if err != nil {
				return 0, err
			}
			return len(page.Conversations), nil
		}},
		{"notifications, 20", 10 * time.Millisecond, []string{"Notes"}, func() (int, error) {
			page, err := s.Notes(ctx, user(), 0, 20)
			if err != nil {
				return 0, err
			}
			return len(page.Notes), nil
		}},
		{"job search: text, filters", 15 * time.Millisecond, []string{"JobsByWords"}, func() (int, error) {
			return findJobs(s, user(), feedengine.JobQuery{
				Text: someWords(rnd, 1+rnd.IntN(2)), Category: fmt.Sprint("Category ", rnd.IntN(20)), SalaryMin: int64(rnd.IntN(60)) * 1000,
			})
		}},
		{"job search: text alone", 0, []string{"JobsByWords"}, func() (int, error) {
			return findJobs(s, user(), feedengine.JobQuery{Text: someWords(rnd, 2)})
		}},
		{"job search: filters alone", 15 * time.Millisecond, []string{"JobsOfBoth", "JobsOfCategory", "JobsAtLocation", "JobsNewest"}, func() (int, error) {
			query := feedengine.JobQuery{SalaryMin: int64(rnd.IntN(60)) * 1000, Currency: "EUR"}
			if rnd.IntN(2) == 0 {
				query.Category = fmt.Sprint("Category ", rnd.IntN(20))
			}
			if rnd.IntN(2) == 0 {
				query.Location = fmt.Sprint("Town ", rnd.IntN(200))
			}
			return findJobs(s, user(), query)
		}},
	} {
		var took []time.Duration
		found := 0
		for i := range calls + 20 {
			start := time.Now()
			n, err := c.call()
			if err != nil {
				b.Fatalf("%s: %v", c.name, err)
			}
			if i >= 20 { // the first prepare their statements
				took = append(took, time.Since(start))
				found += n
			}
		}
		if found < calls/2 {
			b.Errorf("%s: %d rows in %d calls show little", c.name, found, calls)
		}
		slices.Sort(took)
		ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }
		target, plans := "-", "yes"
		if c.target > 0 {
			target = ms(c.target)
		}
		for _, name := range c.plans {
			if found := plan(b, conn, name); len(found) > 0 {
				plans = strings.Join(found, ", ")
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", c.name, ms(took[calls/2]), ms(took[calls*99/100]), target, plans)
		b.ReportMetric(float64(took[calls/2].Microseconds())/1000, strings.Map(func(r rune) rune {
			if r == ' ' {
				return '_'
			}
			return r
		}, c.name)+"-ms")
	}
	table.Flush()
	b.ReportMetric(0, "ns/op")
}

func findJobs(s *Store, viewer string, query feedengine.JobQuery) (int, error) {
	query.Limit, query.Now = 20, time.Now()
	page, err := s.Jobs(context.Background(), viewer, query)
	if err != nil {
		return 0, err
	}
	return len(page.Jobs), nil
}

// plan says what is wrong with the plan of the named query, as the store's
// connections would make it.
func plan(b *testing.B, conn *pgx.Conn, name string) []string {
	b.Helper()
	if _, err := conn.Exec(b.Context(), "PREPARE q AS "+reflect.ValueOf(q).FieldByName(name).String()); err != nil {
		b.Fatal(err)
	}
	defer conn.Exec(b.Context(), "DEALLOCATE q")
	return complaints(b, conn, "force_generic_plan", arguments(1)[name])
}

// someWords are words of the jobs, the frequent ones more often.
func someWords(rnd *rand.Rand, n int) string {
	var all []string
	for range n {
		x := rnd.Float64()
		all = append(all, word(int(vocabulary*x*x*x)))
	}
	return strings.Join(all, " ")
}

// vocabulary is how many words there are. A text's k-th word is as frequent as a
// power law has it.
const vocabulary = 4000

// word is the n-th word. Their stems differ.
func word(n int) string {
	const begin, middle, end = "bdfgklmnprtvz", "aeiou", "bdfgkmnprt"
	w := ""
	for range 3 {
		w += string(begin[n%len(begin)]) + string(middle[n/len(begin)%len(middle)])
		n = n*7 + 3
	}
	return w + string(end[n%len(end)])
}

// generate makes the data set, the same each time.
func generate(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	users, posts, messages, talks := sized(100_000), sized(1_000_000), sized(1_000_000), sized(100_000)
	begin := time.Now().Add(-time.Duration(posts) * time.Second).Sub(feedengine.IDEpoch).Milliseconds()
	id := func(n string) string {
		return fmt.Sprintf("((%d + 1000 * (%s)::bigint) << 22) + (%s) %% 256", begin, n, n)
	}
	// somebody of a power law
	some := func(power int) string {
		return fmt.Sprintf("'u' || floor(%d * power(random(), %d))::int", users, power)
	}
	vocab := make([]string, vocabulary)
	for i := range vocab {
		vocab[i] = word(i)
	}
	steps := []string{
		`SELECT setseed(0.5)`, `SET synchronous_commit = off`, `SET maintenance_work_mem = '256MB'`, `SET work_mem = '64MB'`,
		fmt.Sprintf(`CREATE TEMP TABLE vocab AS SELECT n - 1 AS n, w FROM unnest('{%s}'::text[]) WITH ORDINALITY v(w, n)`, strings.Join(vocab, ",")),
		`ANALYZE vocab`,
		// Rows first, what is dear to keep up after them.
		`ALTER TABLE follows DROP CONSTRAINT follows_pkey`, `DROP INDEX follows_author, posts_author, jobs_words`,
		fmt.Sprintf(`INSERT INTO profiles SELECT 'u' || n, 'handle' || n, 'Name ' || n, '', 'u' || n || '@example.org', '+49' || 10000000 + n, 'idp|' || n, '$argon2id$' FROM generate_series(0, %d) n`, users-1),
		fmt.Sprintf(`INSERT INTO posts (id, author, kind, text) SELECT %s, %s, CASE WHEN n %% 5 = 0 THEN 'job' ELSE 'post' END, repeat('x', 140) FROM generate_series(1, %d) n`, id("n"), some(3), posts),
		fmt.Sprintf(`INSERT INTO follows SELECT DISTINCT ON (follower, author) follower, author, 1 FROM (
			SELECT 'u' || u AS follower, %s AS author FROM generate_series(0, %d) u, generate_series(1, 52) f) e WHERE follower <> author`, some(2), users-1),
		fmt.Sprintf(`INSERT INTO marks SELECT 'u' || n, l, %s FROM generate_series(0, %d) n, generate_series(1, 2) l`, id(fmt.Sprint(posts-max(10, posts/1000))), users-1),
		`ALTER TABLE follows ADD PRIMARY KEY (follower, author) INCLUDE (since)`,
		`CREATE INDEX follows_author ON follows (author, follower)`,
		`CREATE INDEX posts_author ON posts (author, id DESC) WHERE NOT deleted`,

		fmt.Sprintf(`INSERT INTO log SELECT n %% 256, 1 + n / 256, 1, n, 1, 'u', '{}' FROM generate_series(0, %d) n`, posts/10),

		fmt.Sprintf(`INSERT INTO hides SELECT %s, %s, 1 + floor(random() * 3)::int FROM generate_series(1, %d) ON CONFLICT DO NOTHING`, some(2), some(1), users/2),
		fmt.Sprintf(`INSERT INTO likes SELECT DISTINCT ON (post, name) post, name, id, min(id) OVER (PARTITION BY post) FROM (
			SELECT %s AS post, name, %s AS id
			FROM (SELECT n, %s AS name, 1 + floor(%d * (1 - power(random(), 3)))::int AS of FROM generate_series(1, %d) n OFFSET 0) l) l`,
			id("of"), id("n"), some(1), posts-1, posts),
		fmt.Sprintf(`INSERT INTO comments SELECT %s, %s, name, 'a comment'
			FROM (SELECT n, %s AS name, 1 + floor(%d * random())::int AS of FROM generate_series(1, %d) n OFFSET 0) c`,
			id("n"), id("of"), some(1), posts-1, posts/4),
		`INSERT INTO notes SELECT p.author, l.note, 'like', min(l.user_id), p.id, 0 FROM likes l JOIN posts p ON p.id = l.post GROUP BY 1, 2, 5 ON CONFLICT DO NOTHING`,
		`INSERT INTO notes SELECT p.author, c.id, 'comment', c.author, p.id, c.id FROM comments c JOIN posts p ON p.id = c.post ON CONFLICT DO NOTHING`,

		fmt.Sprintf(`INSERT INTO conversations SELECT n, sha256(n::text::bytea), 0 FROM generate_series(1, %d) n`, talks),
		fmt.Sprintf(`INSERT INTO members SELECT n, %s, 0, 0 FROM generate_series(1, %d) n, generate_series(1, CASE WHEN n %% 10 = 0 THEN 8 ELSE 2 END) ON CONFLICT DO NOTHING`, some(3), talks),
		`CREATE TEMP TABLE crowd AS SELECT conversation, array_agg(user_id) AS who FROM members GROUP BY 1`,
		`CREATE UNIQUE INDEX ON crowd (conversation)`, `ANALYZE crowd`,
		fmt.Sprintf(`INSERT INTO messages SELECT m.id, m.conversation, c.who[1 + m.n %% cardinality(c.who)], repeat('m', 60) FROM (
			SELECT n, %s AS id, 1 + floor(%d * power(random(), 2))::int AS conversation FROM generate_series(1, %d) n) m JOIN crowd c USING (conversation)`,
			id("n"), talks, messages),
		`UPDATE conversations c SET last = m.last FROM (SELECT conversation, max(id) AS last FROM messages GROUP BY 1) m WHERE m.conversation = c.id`,
		`UPDATE members m SET read = c.last - CASE WHEN random() < 0.7 THEN 0 ELSE floor(random() * 400000)::bigint << 22 END FROM conversations c WHERE c.id = m.conversation AND c.last > 0`,
		`UPDATE members SET read = greatest(read, 0)`, `UPDATE members SET got = read`,

		fmt.Sprintf(`CREATE TEMP TABLE openings AS SELECT p.id, p.author, 'category ' || c AS category, 'town ' || t AS location,
				s AS least, s + 20000 AS most, 'EUR' AS currency, CASE WHEN random() < 0.1 THEN now() - interval '1 day' WHEN random() < 0.5 THEN now() + interval '30 days' END AS closes,
				w.words[1] || ' ' || w.words[2] AS title, array_to_string(w.words[3:], ' ') AS text
			FROM (SELECT id, author, floor(random() * 20)::int AS c, floor(200 * power(random(), 2))::int AS t, 1000 * floor(random() * 80)::bigint AS s FROM posts WHERE kind = 'job') p
			JOIN (
				SELECT k.id, array_agg(v.w) AS words
				FROM (SELECT id, floor(%d * power(random(), 3))::int AS n FROM posts, generate_series(1, 25) WHERE kind = 'job' OFFSET 0) k
				JOIN vocab v USING (n) GROUP BY k.id) w USING (id)`, vocabulary),
		`INSERT INTO jobs SELECT id, author, category, location, least, most, currency, closes,
			` + jobWords("title", "location || ' ' || category", "text") + ` || array_to_tsvector(ARRAY['=c:' || category, '=l:' || location, '=m:' || currency]) FROM openings`,
		`UPDATE posts p SET text = o.text, more = json_build_object('job', json_build_object('title', o.title, 'category', o.category, 'location', o.location))::text FROM openings o WHERE o.id = p.id`,
		`CREATE INDEX jobs_words ON jobs USING gin (words)`,
		`DROP TABLE openings`, `DROP TABLE crowd`, `VACUUM ANALYZE`,
	}
	for _, step := range steps {
		start := time.Now()
		if _, err := conn.Exec(b.Context(), step); err != nil {
			b.Fatalf("%.300s: %v", step, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			b.Logf("%.60s … %.1f s", strings.ReplaceAll(step, "\n", " "), took.Seconds())
		}
	}
}
