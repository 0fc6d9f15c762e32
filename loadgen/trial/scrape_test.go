package trial

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetricsOfAllWorkersAreAdded(t *testing.T) {
	sums := map[string]float64{}
	addMetrics("# HELP x y\n"+`feedgate_a_total{worker="0",op="load"} 3
feedgate_a_total{worker="1",op="load"} 4
feedgate_a_total{worker="1",op="append"} 5
feedgate_b_total{worker="1"} 6
feedgate_b_total 1
feedgate_c{x="a b"} 2.5e1
broken
broken x
`, sums)
	want := map[string]float64{
		"feedgate_a_total": 12, `feedgate_a_total{op="load"}`: 7, `feedgate_a_total{op="append"}`: 5, "feedgate_b_total": 7,
		"feedgate_c": 25, `feedgate_c{x="a b"}`: 25,
	}
	if d := cmp.Diff(want, sums); d != "" {
		t.Error(d)
	}
	before := reading{sums: map[string]float64{"feedgate_a_total": 2, "feedgate_b_total": 9}}
	grew := grown(before, reading{sums: sums})
	want = map[string]float64{"feedgate_a_total": 10, `feedgate_a_total{op="load"}`: 7, `feedgate_a_total{op="append"}`: 5}
	if d := cmp.Diff(want, grew); d != "" {
		t.Error(d)
	}
}

func TestANodeThatDoesNotAnswerSpoilsAReading(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("process_resident_memory_bytes 1000\nprocess_cpu_seconds_total 1.5\n"))
	}))
	defer ts.Close()
	r := newScraper([]string{ts.URL + "/metrics", ts.URL + "/metrics"}).read(t.Context())
	if !r.ok || r.rss != 2000 || r.cpu != 3 {
		t.Errorf("%+v", r)
	}
	if r := newScraper([]string{ts.URL + "/metrics", ts.URL + "/gone"}).read(t.Context()); r.ok {
		t.Errorf("%+v", r)
	}
	if r := newScraper(nil).read(t.Context()); r.ok {
		t.Error("without an address there is something to read")
	}
}

// FuzzMetrics: nothing that a page says may end a run.
func FuzzMetrics(f *testing.F) {
	f.Add("a{worker=\"1\"} 2\n")
	f.Add("a{worker=\" 2\n{ 1\n 3")
	f.Fuzz(func(t *testing.T, page string) { addMetrics(page, map[string]float64{}) })
}
