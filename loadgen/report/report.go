package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// Format is the number of the JSON file's form. It goes up when a field changes its
// meaning or goes away; new fields may come without.
const Format = 1

// Report is one run's. Fields that end in _ms are milliseconds, in _s seconds, in
// _bytes bytes.
type Report struct {
	Format      int       `json:"format"`
	Scenario    string    `json:"scenario"`
	About       string    `json:"about"`
	Began       time.Time `json:"began"`
	TookS       float64   `json:"took_s"`
	Interrupted bool      `json:"interrupted"`

	Verdict  Verdict  `json:"verdict"`
	Machine  Machine  `json:"machine"`
	Settings Settings `json:"settings"`

	Ledger  Ledger  `json:"ledger"`
	Ramp    Ramp    `json:"ramp"`
	Latency Latency `json:"latency"`
	Clients Clients `json:"clients"`
	Self    Self    `json:"self"`
	Server  *Server `json:"server"` // null: no metrics were to be had

	Marks  []Mark   `json:"marks"`  // what happened when
	Series []Sample `json:"series"` // by time
	Curve  []Point  `json:"curve"`  // live latency by percentile
}

// Verdict is what it comes to. A run is a success when it is whole and valid.
type Verdict struct {
	Whole bool     `json:"whole"` // everybody got exactly what they should
	Valid bool     `json:"valid"` // the load was what was asked for, and the load generator not the bottleneck
	Why   []string `json:"why"`   // what speaks against either
}

// OK is what the exit status says.
func (v *Verdict) OK() bool { return v.Whole && v.Valid }

// Machine is what it ran on.
type Machine struct {
	CPUs        int    `json:"cpus"`
	MemoryBytes int64  `json:"memory_bytes"`
	System      string `json:"system"`
	Descriptors int    `json:"descriptors"` // that a process may hold
	Go          string `json:"go"`
}

// Settings are what was asked for.
type Settings struct {
	Command   string   `json:"command"`
	Targets   []string `json:"targets"`
	Conns     int      `json:"conns"`
	Processes int      `json:"processes"`
	Users     int      `json:"users"`
	Following int      `json:"following"`
	Seed      uint64   `json:"seed"`
	Ramp      float64  `json:"ramp"` // connects per second
	DurationS float64  `json:"duration_s"`
}

// Ledger is the ledger's word.
type Ledger struct {
	Posts       int64                 `json:"posts"`         // that were published
	Unknown     int64                 `json:"unknown"`       // that got no answer, and came to nobody
	Expected    int64                 `json:"expected"`      // deliveries that there had to be
	Taken       int64                 `json:"taken"`         // that there were
	Users       int64                 `json:"users"`         // that were checked
	WholeAfterS float64               `json:"whole_after_s"` // from the end of the steps to the last that was missing; -1: never
	Faults      map[ledger.Kind]int64 `json:"faults"`        // by kind; {} when all is well
	Samples     []ledger.Fault        `json:"samples"`       // the first of each kind
}

// Ramp is how they all came.
type Ramp struct {
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Latency is from when a post was due to when it was read from a socket.
type Latency struct {
	Live     Distribution `json:"live"`     // clients that were there when it was due
	Replayed Distribution `json:"replayed"` // clients that came back to it, or were told late of a gap
	Acks     Distribution `json:"acks"`     // to the ok that its author got
}

// Distribution is of durations in milliseconds.
type Distribution struct {
	N    uint64  `json:"n"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
}

// DistributionOf sums a histogram up.
func DistributionOf(h *meter.Histogram) Distribution {
	q := func(q float64) float64 { return ms(h.Quantile(q)) }
	return Distribution{h.N, q(0.5), q(0.9), q(0.99), q(0.999), ms(h.Max)}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Clients is what happened to them.
type Clients struct {
	Connects   int64            `json:"connects"`
	Resumed    int64            `json:"resumed"`
	Rebuilt    int64            `json:"rebuilt"` // came back to another stream
	Closed     int64            `json:"closed"`
	GivenUp    int64            `json:"given_up"`
	Timeouts   int64            `json:"timeouts"`
	Events     int64            `json:"events"`
	Counters   int64            `json:"counters"` // frames with counters only
	Heartbeats int64            `json:"heartbeats"`
	Resets     int64            `json:"resets"`
	Gaps       int64            `json:"gaps"`
	Pages      int64            `json:"pages"`
	Retried    int64            `json:"retried"` // requests refused for now
	BackS      float64          `json:"back_s"`  // from the last time that all lines were lost to when all were attached again; 0: that was not
	Codes      map[string]int64 `json:"codes"`
}

// Self is the load generator's own part.
type Self struct {
	CPUs           float64      `json:"cpus"`             // used on average while the steps were done
	PeakBytes      int64        `json:"peak_bytes"`       // all processes' resident memory
	BytesPerClient int64        `json:"bytes_per_client"` // of peak_bytes, without what the processes held before there were clients
	Lag            Distribution `json:"lag"`              // how late a goroutine wakes
	Late           Distribution `json:"late"`             // how late a post was sent
	LateShare      float64      `json:"late_share"`       // of posts sent more than 50 ms late
}

// Server is what its metrics say, all nodes together.
type Server struct {
	IdleBytes int64              `json:"idle_bytes"` // resident memory, all attached and before the first step
	PeakBytes int64              `json:"peak_bytes"`
	CPUs      float64            `json:"cpus"`     // used on average while the steps were done
	Counters  map[string]float64 `json:"counters"` // by how much each grew from before the first step to the end
	Beside    map[string]int64   `json:"beside"`   // resident bytes of what belongs to it, where it was started here
}

// Mark is a moment worth a line in a plot.
type Mark struct {
	AtS  float64 `json:"at_s"`
	What string  `json:"what"`
}

// Sample is a moment, in seconds since the run began.
type Sample struct {
	AtS         float64 `json:"at_s"`
	Attached    int64   `json:"attached"`
	Deliveries  float64 `json:"deliveries_per_s"`
	Posts       float64 `json:"posts_per_s"`
	P50         float64 `json:"p50_ms"` // of live latency, 0 without any
	P99         float64 `json:"p99_ms"`
	Max         float64 `json:"max_ms"`
	SelfCPUs    float64 `json:"self_cpus"`
	MachineCPUs float64 `json:"machine_cpus"`
	ServerCPUs  float64 `json:"server_cpus"`
	ServerBytes int64   `json:"server_bytes"`
	LagP99      float64 `json:"lag_p99_ms"`
}

// Point is a place of the percentile curve.
type Point struct {
	Quantile float64 `json:"quantile"`
	MS       float64 `json:"ms"`
}

// CurveOf is a histogram's percentile curve.
func CurveOf(h *meter.Histogram) (c []Point) {
	if h.N == 0 {
		return []Point{}
	}
	for _, q := range []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1} {
		c = append(c, Point{q, ms(h.Quantile(q))})
	}
	return c
}

// Write writes NAME.json and NAME.html into a directory, which is made.
func (r *Report) Write(dir, name string) (path string, err error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	path = filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".html"), r.HTML(), 0o644); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return path, nil
}

// Read reads a JSON file of this form.
func Read(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Parse reads a report.
func Parse(b []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("report: it has the format %d, this program reads %d", r.Format, Format)
	}
	return &r, nil
}
