//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table is the result: a line for each figure, beside its floor and its limit.
type table struct{ rows [][6]string }

// add takes a line: what, the node's figure, the floor's, their ratio, the limit,
// and whether it is kept. Empty is what there is none of.
func (t *table) add(what, node, floor, ratio, limit string, kept bool) {
	verdict := ""
	if limit != "" {
		verdict = "ok"
		if !kept {
			verdict = "MISSED"
		}
	}
	t.rows = append(t.rows, [6]string{what, node, floor, ratio, limit, verdict})
}

// note is a line without a limit.
func (t *table) note(what, node, floor string) { t.add(what, node, floor, "", "", true) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tnode\tfloor\tratio\tlimit\t")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r[0], r[1], r[2], r[3], r[4], r[5])
	}
	tw.Flush()
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
func ratio(x float64) string        { return fmt.Sprintf("%.2f", x) }
func kilo(n int64) string           { return fmt.Sprintf("%.2f KB", float64(n)/1024) }
func mega(n int64) string           { return fmt.Sprintf("%.0f MB", float64(n)/(1<<20)) }
