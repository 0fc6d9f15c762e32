package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"

	"github.com/feedgate/feedgate/loadgen/ledger"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML is the report as one page that needs nothing else: no script, no font, no
// picture from elsewhere. It is made to be read on a phone too.
func (r *Report) HTML() []byte {
	var b bytes.Buffer
	type row struct{ Name, Value string }
	data := struct {
		*Report
		Rows  []row
		Kinds []row
		Codes []row
		Plots []template.HTML
	}{Report: r}
	for _, l := range lines {
		data.Rows = append(data.Rows, row{l.name, l.value(r)})
	}
	for _, k := range ledger.Kinds {
		if n := r.Ledger.Faults[k]; n > 0 {
			data.Kinds = append(data.Kinds, row{string(k), fmt.Sprint(n)})
		}
	}
	for name, n := range r.Clients.Codes {
		data.Codes = append(data.Codes, row{name, fmt.Sprint(n)})
	}
	slices.SortFunc(data.Codes, func(a, b row) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	for _, p := range r.plots() {
		data.Plots = append(data.Plots, template.HTML(p.svg())) // it escapes what is not its own
	}
	if err := page.Execute(&b, data); err != nil {
		panic(err) // the template is in the binary, and a buffer takes everything
	}
	return b.Bytes()
}

// plots are those of a run.
func (r *Report) plots() []plot {
	over := func(f func(s *Sample) float64) (c []point) {
		for i := range r.Series {
			c = append(c, point{r.Series[i].AtS, f(&r.Series[i])})
		}
		return c
	}
	var curve []point
	for _, p := range r.Curve {
		if p.Quantile < 1 {
			curve = append(curve, point{nines(p.Quantile), p.MS})
		}
	}
	all := []plot{
		{title: "Attached clients", marks: r.Marks, curves: []curved{
			{"attached", over(func(s *Sample) float64 { return float64(s.Attached) })}}},
		{title: "Deliveries per second", marks: r.Marks, curves: []curved{
			{"deliveries", over(func(s *Sample) float64 { return s.Deliveries })}}},
		{title: "Posts per second", marks: r.Marks, curves: []curved{
			{"posts", over(func(s *Sample) float64 { return s.Posts })}}},
		{title: "Latency over time, ms", log: true, marks: r.Marks, curves: []curved{
			{"p50", over(func(s *Sample) float64 { return s.P50 })},
			{"p99", over(func(s *Sample) float64 { return s.P99 })},
			{"max", over(func(s *Sample) float64 { return s.Max })}}},
		{title: "Latency by percentile, ms", log: true, nines: true, curves: []curved{{"live", curve}}},
		{title: "CPUs used", marks: r.Marks, curves: []curved{
			{"server", over(func(s *Sample) float64 { return s.ServerCPUs })},
			{"loadgen", over(func(s *Sample) float64 { return s.SelfCPUs })},
			{"whole machine", over(func(s *Sample) float64 { return s.MachineCPUs })}}},
	}
	if r.Server != nil {
		all = append(all, plot{title: "Memory of the server, MiB", marks: r.Marks, curves: []curved{
			{"resident", over(func(s *Sample) float64 { return float64(s.ServerBytes) / (1 << 20) })}}})
	}
	return all
}
