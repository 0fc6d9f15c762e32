package postgres

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5/pgxpool"
)

// op is one kind of call: how long it takes, in seconds, and how many
// statements all its calls have sent.
type op struct {
	name    string
	seconds *metrics.Histogram
	queries *metrics.Counter
}

// ops are the calls that are told apart in the metrics.
type ops struct {
	append, claim, keys, readLog, trim      op
	load, followed, post                    op
	feed, following, followers, ping, setUp op
	owners, heads, beat, leave              op

	standing, talk, ties, blocked, hides, name, taken, alerts op
	comments, notes, conversations, messages                  op
	hidden, acquainted, members, jobs, searches               op
	profile, profiles, login, lastSeen                        op
	saveSearch, dropSearch, setPassword, sawUsers             op
}

func newOps(set *metrics.Set) *ops {
	of := func(name string) op {
		return op{
			name:    name,
			seconds: set.GetOrCreateHistogram(fmt.Sprintf(`feedgate_storage_query_seconds{op=%q}`, name)),
			queries: set.GetOrCreateCounter(fmt.Sprintf(`feedgate_storage_queries_total{op=%q}`, name)),
		}
	}
	return &ops{
		append: of("append"), claim: of("claim"), keys: of("keys"), readLog: of("read_log"), trim: of("trim"),
		load: of("load"), followed: of("followed"), post: of("post"),
		feed: of("feed"), following: of("following"), followers: of("followers"), ping: of("ping"), setUp: of("set_up"),
		owners: of("owners"), heads: of("heads"), beat: of("beat"), leave: of("leave"),
		standing: of("standing"), talk: of("talk"), ties: of("ties"), blocked: of("blocked"), hides: of("hides"), name: of("name"),
		taken: of("taken"), alerts: of("alerts"), comments: of("comments"), notes: of("notes"),
		conversations: of("conversations"), messages: of("messages"), hidden: of("hidden"),
		acquainted: of("acquainted"), members: of("members"), jobs: of("jobs"), searches: of("searches"),
		profile: of("profile"), profiles: of("profiles"), login: of("login"), lastSeen: of("last_seen"),
		saveSearch: of("save_search"), dropSearch: of("drop_search"), setPassword: of("set_password"), sawUsers: of("saw_users"),
	}
}

// done records a call that began at start and sent that many statements.
func (o op) done(start time.Time, statements int) {
	o.seconds.UpdateDuration(start)
	o.queries.Add(statements)
}

// showPool registers a pool's gauges and returns what takes them away again.
func showPool(set *metrics.Set, name string, pool *pgxpool.Pool) (hide func()) {
	gauges := map[string]func(*pgxpool.Stat) float64{
		"feedgate_storage_pool_max":                func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) },
		"feedgate_storage_pool_open":               func(s *pgxpool.Stat) float64 { return float64(s.TotalConns()) },
		"feedgate_storage_pool_in_use":             func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) },
		"feedgate_storage_pool_waits_total":        func(s *pgxpool.Stat) float64 { return float64(s.EmptyAcquireCount()) },
		"feedgate_storage_pool_wait_seconds_total": func(s *pgxpool.Stat) float64 { return s.EmptyAcquireWaitTime().Seconds() },
	}
	var names []string
	for metric, value := range gauges {
		full := fmt.Sprintf(`%s{pool=%q}`, metric, name)
		set.UnregisterMetric(full) // of a store of this name that was opened before
		set.NewGauge(full, func() float64 { return value(pool.Stat()) })
		names = append(names, full)
	}
	return func() {
		for _, n := range names {
			set.UnregisterMetric(n)
		}
	}
}
