package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// serveMetrics tells the metrics of all workers, and the parent's own as those of
// a worker "parent". They are not summed: gauges and percentiles have no sum, and
// a worker that does not answer would make counters go back.
func (ws *workers) serveMetrics(w http.ResponseWriter, r *http.Request) {
	var m merged
	up := 0
	for i, a := range ws.ask(r.Context(), "/metrics") {
		name := strconv.Itoa(i)
		answers := 0
		if a.status == http.StatusOK {
			answers = 1
			m.add(name, a.body)
		}
		up += answers
		m.add(name, fmt.Appendf(nil, "feedgate_worker_up %d\nfeedgate_worker_restarts_total %d\n", answers, ws.all[i].restarts.Load()))
	}
	var own bytes.Buffer
	metrics.WriteProcessMetrics(&own)
	fmt.Fprintf(&own, "feedgate_workers %d\nfeedgate_workers_up %d\n", len(ws.all), up)
	m.add("parent", own.Bytes())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	m.write(w)
}

// merged are the series of several processes.
type merged struct{ lines []series }

type series struct{ name, line string }

// add takes in a process's series, each with a label that names it. Comments go.
func (m *merged) add(worker string, text []byte) {
	label := "worker=" + strconv.Quote(worker)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.IndexAny(line, "{ ")
		if at <= 0 || line[0] == '#' {
			continue
		}
		name, rest := line[:at], line[at:]
		if labels, ok := strings.CutPrefix(rest, "{"); ok {
			if !strings.HasPrefix(labels, "}") {
				labels = "," + labels
			}
			rest = "{" + label + labels
		} else {
			rest = "{" + label + "}" + rest
		}
		m.lines = append(m.lines, series{name, name + rest})
	}
}

// write tells them, those of one name together, as the format wants it.
func (m *merged) write(w io.Writer) {
	slices.SortStableFunc(m.lines, func(a, b series) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	for _, s := range m.lines {
		b.WriteString(s.line)
		b.WriteByte('\n')
	}
	w.Write(b.Bytes())
}
