package trial

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// scraper reads the metrics of a server's nodes: the only place where a run looks at
// the server with other than a client's eyes, and nothing depends on it.
type scraper struct {
	client http.Client

	mu   sync.Mutex
	urls []string
}

// reading is all nodes' metrics at one time.
type reading struct {
	ok   bool // all nodes answered
	sums map[string]float64
	cpu  float64 // seconds
	rss  int64   // bytes
}

func newScraper(urls []string) *scraper {
	return &scraper{urls: urls, client: http.Client{Timeout: 3 * time.Second}}
}

// read asks all nodes. A node that does not answer leaves ok false.
func (s *scraper) read(ctx context.Context) reading {
	s.mu.Lock()
	urls := s.urls
	s.mu.Unlock()
	r := reading{ok: len(urls) > 0, sums: map[string]float64{}}
	for _, url := range urls {
		if !s.one(ctx, url, r.sums) {
			r.ok = false
		}
	}
	r.cpu, r.rss = r.sums["process_cpu_seconds_total"], int64(r.sums["process_resident_memory_bytes"])
	return r
}

func (s *scraper) one(ctx context.Context, url string, sums map[string]float64) bool {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return false
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	addMetrics(string(b), sums)
	return true
}

// addMetrics adds the values of a page of metrics: those of all labels of a name
// together, and those of each set of labels, in which the worker does not count.
func addMetrics(page string, sums map[string]float64) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(strings.TrimSpace(line[:i]), "{")
		sums[name] += v
		if rest, ok := strings.CutPrefix(labels, `worker="`); ok {
			_, labels, _ = strings.Cut(rest, `"`)
			labels = strings.TrimPrefix(labels, ",")
		}
		if labels != "" && labels != "}" {
			sums[name+"{"+labels] += v
		}
	}
}

// grown is by how much the server's own counters grew. A node that was started
// again counts from 0; what is less than it was is left out.
func grown(before, after reading) map[string]float64 {
	d := map[string]float64{}
	for series, v := range after.sums {
		name, _, _ := strings.Cut(series, "{")
		if strings.HasPrefix(name, "feedgate_") && strings.HasSuffix(name, "_total") && v > before.sums[series] {
			d[series] = v - before.sums[series]
		}
	}
	return d
}
