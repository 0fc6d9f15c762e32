//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table is the result: a line for each figure, beside its limit.
type table struct{ rows [][4]string }

// add takes a line: what, the figure, the limit, and whether it is kept.
func (t *table) add(what, figure, limit string, kept bool) {
	verdict := "ok"
	if !kept {
		verdict = "MISSED"
	}
	t.rows = append(t.rows, [4]string{what, figure, limit, verdict})
}

// note is a line without a limit.
func (t *table) note(what, figure string) { t.rows = append(t.rows, [4]string{"  " + what, figure}) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r[0], r[1], r[2], r[3])
	}
	tw.Flush()
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
