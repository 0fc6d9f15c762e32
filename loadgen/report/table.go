package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// line is one row: a figure of each run.
type line struct {
	name  string
	value func(r *Report) string
}

var lines = []line{
	{"scenario", func(r *Report) string { return r.Scenario }},
	{"began", func(r *Report) string { return r.Began.Format("2006-01-02 15:04:05") }},
	{"verdict", func(r *Report) string { return r.Verdict.Word() }},
	{"connections", func(r *Report) string { return fmt.Sprint(r.Settings.Conns) }},
	{"ramp", func(r *Report) string { return fmt.Sprintf("%.1f s, %.0f/s", r.Ramp.Seconds, r.Ramp.PerSecond) }},
	{"posts", func(r *Report) string { return fmt.Sprint(r.Ledger.Posts) }},
	{"deliveries", func(r *Report) string { return fmt.Sprintf("%d of %d", r.Ledger.Taken, r.Ledger.Expected) }},
	{"faults", func(r *Report) string { return r.faults() }},
	{"live p50", func(r *Report) string { return inMS(r.Latency.Live.N, r.Latency.Live.P50) }},
	{"live p99", func(r *Report) string { return inMS(r.Latency.Live.N, r.Latency.Live.P99) }},
	{"live max", func(r *Report) string { return inMS(r.Latency.Live.N, r.Latency.Live.Max) }},
	{"replayed max", func(r *Report) string { return inMS(r.Latency.Replayed.N, r.Latency.Replayed.Max) }},
	{"publish ok p99", func(r *Report) string { return inMS(r.Latency.Acks.N, r.Latency.Acks.P99) }},
	{"all back after", func(r *Report) string {
		if r.Clients.BackS == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f s", r.Clients.BackS)
	}},
	{"whole after", func(r *Report) string {
		if r.Ledger.WholeAfterS < 0 {
			return "never"
		}
		return fmt.Sprintf("%.1f s", r.Ledger.WholeAfterS)
	}},
	{"resumed, rebuilt", func(r *Report) string { return fmt.Sprintf("%d, %d", r.Clients.Resumed, r.Clients.Rebuilt) }},
	{"resets, gaps", func(r *Report) string { return fmt.Sprintf("%d, %d", r.Clients.Resets, r.Clients.Gaps) }},
	{"server idle", func(r *Report) string { return r.ofServer(func(s *Server) string { return mib(s.IdleBytes) }) }},
	{"server peak", func(r *Report) string { return r.ofServer(func(s *Server) string { return mib(s.PeakBytes) }) }},
	{"server CPUs", func(r *Report) string {
		return r.ofServer(func(s *Server) string { return fmt.Sprintf("%.2f", s.CPUs) })
	}},
	{"storage queries", func(r *Report) string {
		return r.ofServer(func(s *Server) string {
			return fmt.Sprintf("%.0f, %.0f loads", s.Counters["feedgate_storage_queries_total"], s.Counters[`feedgate_storage_queries_total{op="load"}`])
		})
	}},
	{"shards moved", func(r *Report) string {
		return r.ofServer(func(s *Server) string {
			return fmt.Sprintf("%.0f", s.Counters["feedgate_shard_moves_received_total"]+s.Counters[`feedgate_shard_claims_total{outcome="won"}`])
		})
	}},
	{"loadgen CPUs", func(r *Report) string { return fmt.Sprintf("%.2f", r.Self.CPUs) }},
	{"loadgen memory", func(r *Report) string {
		return fmt.Sprintf("%s, %d B each", mib(r.Self.PeakBytes), r.Self.BytesPerClient)
	}},
	{"loadgen lag p99", func(r *Report) string { return inMS(r.Self.Lag.N, r.Self.Lag.P99) }},
	{"sent late", func(r *Report) string { return fmt.Sprintf("%.2f %%", 100*r.Self.LateShare) }},
}

// Word is the verdict in a word or two.
func (v *Verdict) Word() string {
	switch {
	case v.OK():
		return "whole and valid"
	case v.Whole:
		return "whole, NOT VALID"
	case v.Valid:
		return "NOT WHOLE"
	}
	return "NOT WHOLE, NOT VALID"
}

func (r *Report) ofServer(f func(*Server) string) string {
	if r.Server == nil {
		return "–"
	}
	return f(r.Server)
}

func (r *Report) faults() string {
	if len(r.Ledger.Faults) == 0 {
		return "none"
	}
	var parts []string
	for k, n := range r.Ledger.Faults {
		parts = append(parts, fmt.Sprintf("%d %s", n, k))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func inMS(n uint64, v float64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", v)
}

func mib(b int64) string { return fmt.Sprintf("%.0f MiB", float64(b)/(1<<20)) }

// Compare prints runs beside each other.
func Compare(w io.Writer, runs []*Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, l := range lines {
		fmt.Fprint(t, l.name)
		for _, r := range runs {
			fmt.Fprint(t, "\t", l.value(r))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, r := range runs {
		for _, why := range r.Verdict.Why {
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.Scenario, why); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
	}
	return nil
}
