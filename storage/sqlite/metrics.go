package sqlite

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// op is one kind of call: how long it takes, in seconds, and how many
// statements all its calls have run. A write counts as one, whatever the number
// of its rows.
type op struct {
	name    string
	seconds *metrics.Histogram
	queries *metrics.Counter
}

// ops are the calls that are told apart in the metrics.
type ops struct {
	append, claim, keys, readLog, trim op
	load, followed, post               op
	feed, following, followers, ping   op
	owners, heads                      op

	standing, talk, ties, blocked, hides, name, taken, alerts op
	postFor, comments, notes, conversations, messages         op
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
		feed: of("feed"), following: of("following"), followers: of("followers"), ping: of("ping"),
		owners: of("owners"), heads: of("heads"),

		standing: of("standing"), talk: of("talk"), ties: of("ties"), blocked: of("blocked"), hides: of("hides"), name: of("name"),
		taken: of("taken"), alerts: of("alerts"),
		postFor: of("post_for"), comments: of("comments"), notes: of("notes"), conversations: of("conversations"),
		messages: of("messages"), hidden: of("hidden"), acquainted: of("acquainted"), members: of("members"),
		jobs: of("jobs"), searches: of("searches"),
		profile: of("profile"), profiles: of("profiles"), login: of("login"), lastSeen: of("last_seen"),
		saveSearch: of("save_search"), dropSearch: of("drop_search"), setPassword: of("set_password"), sawUsers: of("saw_users"),
	}
}

// done records a call that began at start and ran that many statements.
func (o op) done(start time.Time, statements int) {
	o.seconds.UpdateDuration(start)
	o.queries.Add(statements)
}
