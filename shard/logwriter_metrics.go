package shard

import "github.com/VictoriaMetrics/metrics"

// writerMetrics are a Writer's figures. Each write counts under one outcome.
type writerMetrics struct {
	rows    *metrics.Histogram // writes of a commit
	seconds *metrics.Histogram // a call of Append

	committed, prior, conflict             *metrics.Counter
	unavailable, overloaded, expired       *metrics.Counter
	refused, lost, stopped                 *metrics.Counter
	appends, fenced, unknown, split, claim *metrics.Counter
}

func newWriterMetrics(set *metrics.Set, waiting func() int) *writerMetrics {
	set.NewGauge("feedgate_commit_queue", func() float64 { return float64(waiting()) })
	write := func(outcome string) *metrics.Counter {
		return set.NewCounter(`feedgate_writes_total{outcome="` + outcome + `"}`)
	}
	commit := func(outcome string) *metrics.Counter {
		return set.NewCounter(`feedgate_commits_total{outcome="` + outcome + `"}`)
	}
	return &writerMetrics{
		rows:    set.NewHistogram("feedgate_commit_batch_rows"),
		seconds: set.NewHistogram("feedgate_commit_seconds"),

		committed:   write("committed"),
		prior:       write("prior"),
		conflict:    write("conflict"),
		unavailable: write("unavailable"),
		overloaded:  write("overloaded"),
		expired:     write("expired"),
		refused:     write("refused"),
		lost:        write("shard_lost"),
		stopped:     write("stopped"),

		appends: commit("committed"),
		fenced:  commit("fenced"),
		unknown: commit("unknown"),
		split:   commit("refused"),
		claim:   set.NewCounter("feedgate_commit_claims_total"),
	}
}
