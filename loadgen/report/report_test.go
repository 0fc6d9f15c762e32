package report

import (
	"bytes"
	"encoding/xml"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// sample is a report in which everything is filled in.
func sample() *Report {
	var h meter.Histogram
	for i := range 1000 {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	r := &Report{
		Format: Format, Scenario: "steady <b>", About: `posts & "deliveries"`, Began: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC), TookS: 70,
		Verdict:  Verdict{Whole: false, Valid: true, Why: []string{"2 times missing"}},
		Machine:  Machine{CPUs: 2, MemoryBytes: 24 << 30, System: "linux/amd64", Descriptors: 20_000, Go: "go1.26"},
		Settings: Settings{Command: "loadgen run <x>", Targets: []string{"ws://127.0.0.1:8080"}, Conns: 1000, Processes: 1, Users: 1000, Following: 50, Seed: 1, Ramp: 2500, DurationS: 60},
		Ledger: Ledger{Posts: 6000, Expected: 300_000, Taken: 299_998, Users: 1000, WholeAfterS: -1,
			Faults: map[ledger.Kind]int64{ledger.Missing: 2}, Samples: []ledger.Fault{{Kind: ledger.Missing, User: "lg000000.7", What: "3 of 4 <came>"}}},
		Ramp:    Ramp{0.4, 2500},
		Latency: Latency{Live: DistributionOf(&h)},
		Clients: Clients{Connects: 1000, Codes: map[string]int64{"close: 4200 draining": 3}},
		Self:    Self{CPUs: 0.2, PeakBytes: 30 << 20, BytesPerClient: 31_457, Lag: DistributionOf(&h), Late: DistributionOf(&h), LateShare: 0.001},
		Server:  &Server{IdleBytes: 50 << 20, PeakBytes: 60 << 20, CPUs: 0.5, Counters: map[string]float64{"feedgate_storage_queries_total": 12}, Beside: map[string]int64{"postgres": 1 << 20}},
		Marks:   []Mark{{0, "connect"}, {5, `node-kill "load-1"`}},
		Curve:   CurveOf(&h),
	}
	for i := range 60 {
		r.Series = append(r.Series, Sample{AtS: float64(i), Attached: int64(i * 20), Deliveries: 5000, P50: 5, P99: float64(i), ServerBytes: 50 << 20})
	}
	return r
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	r := sample()
	path, err := r.Write(filepath.Join(t.TempDir(), "reports"), "x")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, again); d != "" {
		t.Error(d)
	}
	if _, err := Parse([]byte(`{"format":2}`)); err == nil {
		t.Error("another format is accepted")
	}
}

func TestThePageStandsAlone(t *testing.T) {
	p := string(sample().HTML())
	for _, bad := range []string{"http://", "https://", "<script", "<link", "@import", "<b>", "<came>", "<x>", "NaN", "Inf"} {
		if strings.Contains(p, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{`name="viewport"`, "NOT WHOLE", "2 times missing", "3 of 4 &lt;came&gt;", "Attached clients", "node-kill", "299998 of 300000", "draining"} {
		if !strings.Contains(p, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(p, "<svg"); n != 7 {
		t.Errorf("%d plots", n)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(p, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("%v in %.200s", err, svg)
				}
				break
			}
		}
	}
}

func TestAPageOfNothing(t *testing.T) {
	p := string((&Report{}).HTML())
	if strings.Contains(p, "NaN") || strings.Contains(p, "Inf") || strings.Count(p, "<svg") != 6 {
		t.Errorf("%s", p)
	}
}

func TestPlaces(t *testing.T) {
	p := plot{nines: true}
	for q, want := range map[float64]string{0: "0 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %"} {
		if got := p.place(math.Round(nines(q))); got != want {
			t.Errorf("%v is at %q, want %q", q, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1500: "1500", 25_000: "25k", 1.5e6: "1.5M"} {
		if got := short(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]float64{0.3: 0.5, 1: 1, 13: 20, 51: 100} {
		if got := nice(v); got != want {
			t.Errorf("%v becomes %v, want %v", v, got, want)
		}
	}
}

func TestRunsBesideEachOther(t *testing.T) {
	a, b := sample(), sample()
	b.Scenario, b.Verdict, b.Server = "storm", Verdict{Whole: true, Valid: true}, nil
	var w bytes.Buffer
	if err := Compare(&w, []*Report{a, b}); err != nil {
		t.Fatal(err)
	}
	got := w.String()
	for _, want := range []string{"NOT WHOLE", "whole and valid", "storm", "2 missing", "steady <b>: 2 times missing"} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
	rows := strings.Split(got, "\n")
	if len(rows) < len(lines) || len(strings.Split(rows[3], "1000")) != 3 {
		t.Errorf("the table:\n%s", got)
	}
}

// FuzzParse holds that what is read can be shown, whatever it says.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"format":1,"series":[{"at_s":1,"p99_ms":1e300}],"curve":[{"quantile":0.5,"ms":-1}],"marks":[{"at_s":-1e308}]}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := Parse(p)
		if err != nil {
			return
		}
		if len(r.Series) < 1000 && len(r.Marks) < 1000 {
			r.HTML()
		}
		if err := Compare(&bytes.Buffer{}, []*Report{r}); err != nil {
			t.Error(err)
		}
	})
}
