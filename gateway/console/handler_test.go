package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// fakeState is the state that was asked for last.
type fakeState struct {
	Asked int `json:"asked"`
}

func (s fakeState) Sample() Sample { return Sample{Connections: s.Asked} }

// fake is a cluster of which the test says what it answers.
type fake struct {
	Cluster
	asked int
	wish  string
	err   error
}

func newFake() *fake {
	f := &fake{}
	f.State = func(context.Context) State { f.asked++; return fakeState{f.asked} }
	f.Check = func(context.Context) []Checked { return []Checked{{Node: "n1", OK: true, Audits: 4}} }
	f.Drain = func(_ context.Context, node string) error { f.wish = "drain " + node; return f.err }
	f.Move = func(_ context.Context, s feedengine.ShardID, node string) error {
		f.wish = fmt.Sprintf("move %d %s", s, node)
		return f.err
	}
	f.Post = func(context.Context, feedengine.ID) (*feedengine.Post, error) { return nil, feedengine.ErrNotFound }
	f.Trails = func(context.Context, string, feedengine.ID) []Trail { return nil }
	return f
}

func ask(t *testing.T, h http.Handler, method, target, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

var other = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "other "+r.URL.Path) })

func TestPaths(t *testing.T) {
	f := newFake()
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string // in the body
		wish                 string
	}{
		{"GET", "/", "", 200, "<title>feedgate cluster", ""},
		{"GET", "/console/live.js", "", 200, "fetch(", ""},
		{"GET", "/console/chart.js", "", 200, "Chart", ""},
		{"GET", "/console/style.css", "", 200, ":root", ""},
		{"GET", "/cluster", "", 200, `"asked": 1`, ""},
		{"GET", "/metrics", "", 200, "other /metrics", ""},
		{"GET", "/cluster/check", "", 200, `"ok": true`, ""},
		{"POST", "/cluster/drain", `{"node":"n2"}`, 200, "{}", "drain n2"},
		{"POST", "/cluster/drain", `{}`, 400, "want", ""},
		{"POST", "/cluster/drain", `drain n2`, 400, "JSON", ""},
		{"GET", "/cluster/drain?node=n2", "", 200, "other /cluster/drain", ""},
		{"POST", "/cluster/move", `{"shard":0,"node":"n2"}`, 200, "{}", "move 0 n2"},
		{"POST", "/cluster/move", `{"node":"n2"}`, 400, "want", ""},
		{"POST", "/cluster/move", `{"shard":-1,"node":"n2"}`, 400, "want", ""},
		{"POST", "/cluster/move", `{"shard":1024,"node":"n2"}`, 400, "want", ""},
		{"GET", "/cluster/explain?user=bob&post=7", "", 200, `"missing": "committed"`, ""},
		{"GET", "/cluster/explain?user=bob&post=x", "", 400, "want", ""},
		{"GET", "/cluster/explain?user=b%20b&post=7", "", 400, "want", ""},
	} {
		f.wish = ""
		status, body := ask(t, Handler(f.Cluster, other), c.method, c.target, c.body)
		if status != c.status || !strings.Contains(body, c.want) || f.wish != c.wish {
			t.Errorf("%s %s %s: %d %q, wish %q", c.method, c.target, c.body, status, body, f.wish)
		}
	}
}

func TestWishesThatFail(t *testing.T) {
	f := newFake()
	f.err = errors.New("no such node is alive")
	h := Handler(f.Cluster, other)
	for target, body := range map[string]string{"/cluster/drain": `{"node":"x"}`, "/cluster/move": `{"shard":1,"node":"x"}`} {
		if status, got := ask(t, h, "POST", target, body); status != 409 || !strings.Contains(got, f.err.Error()) {
			t.Errorf("%s: %d %s", target, status, got)
		}
	}
	// A node alone.
	f.Drain, f.Move, f.Trails = nil, nil, nil
	h = Handler(f.Cluster, other)
	for target, body := range map[string]string{"/cluster/drain": `{"node":"x"}`, "/cluster/move": `{"shard":1,"node":"x"}`} {
		if status, got := ask(t, h, "POST", target, body); status != 404 || !strings.Contains(got, "alone") {
			t.Errorf("%s: %d %s", target, status, got)
		}
	}
}

// TestOtherOriginsWishForNothing: a page that an operator has open elsewhere.
func TestOtherOriginsWishForNothing(t *testing.T) {
	f := newFake()
	h := Handler(f.Cluster, other)
	status, _ := ask(t, h, "POST", "http://127.0.0.1:8081/cluster/drain", `{"node":"n1"}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if status != http.StatusForbidden || f.wish != "" {
		t.Errorf("a page of another origin: %d, wish %q", status, f.wish)
	}
	status, _ = ask(t, h, "POST", "http://127.0.0.1:8081/cluster/drain", `{"node":"n1"}`, "Origin", "http://127.0.0.1:8081")
	if status != 200 || f.wish != "drain n1" {
		t.Errorf("the console's own: %d, wish %q", status, f.wish)
	}
}

func TestCheckNamesWhatIsBroken(t *testing.T) {
	f := newFake()
	f.Check = func(context.Context) []Checked {
		return []Checked{
			Checked{Node: "n1", OK: true}.Judge(true),
			Checked{Node: "n2", OK: true, Drift: 3}.Judge(true),
			Checked{Node: "n3", Error: "shard 7 is odd"}.Judge(true),
			Checked{Node: "n4", OK: true}.Judge(false),
		}
	}
	status, body := ask(t, Handler(f.Cluster, other), "GET", "/cluster/check", "")
	var got struct {
		OK    bool
		Error string
		Nodes []Checked
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 500 || got.OK || len(got.Nodes) != 4 {
		t.Fatalf("%d %s", status, body)
	}
	for i, ok := range []bool{true, false, false, false} {
		if got.Nodes[i].OK != ok {
			t.Errorf("node %d: %+v", i, got.Nodes[i])
		}
	}
	for _, want := range []string{"n2: counters", "n3: shard 7 is odd", "n4: the node did not say"} {
		if !strings.Contains(got.Error, want) {
			t.Errorf("%q does not tell %q", got.Error, want)
		}
	}
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		h := Handler(f.Cluster, other)
		look := func(since time.Time) (asked int, samples []int) {
			_, body := ask(t, h, "GET", fmt.Sprintf("/cluster/live?since=%d", since.UnixMilli()), "")
			var got struct {
				Cluster fakeState
				Samples []Sample
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			for _, s := range got.Samples {
				samples = append(samples, s.Connections)
			}
			return got.Cluster.Asked, samples
		}
		start := time.Now()
		expect := func(what string, since time.Time, asked int, samples ...int) {
			t.Helper()
			if a, s := look(since); a != asked || fmt.Sprint(s) != fmt.Sprint(samples) {
				t.Errorf("%s: asked %d, samples %v; want %d, %v", what, a, s, asked, samples)
			}
		}
		expect("the first look", time.Time{}, 1, 1)
		time.Sleep(sampleEvery / 2)
		expect("a second one at once", time.Time{}, 1, 1)
		time.Sleep(sampleEvery)
		expect("a later one", time.Time{}, 2, 1, 2)
		expect("only what is new", start, 2, 2)
		time.Sleep(keepFor + time.Second)
		expect("much later", time.Time{}, 3, 3)
	})
}
