package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// node is an admin listener that answers what the test says.
type node struct {
	*httptest.Server
	answers map[string]string // by method and path; a number before the text is the status
	asked   []string          // wishes
}

func newNode(t *testing.T) *node {
	n := &node{answers: map[string]string{}}
	return n.serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			n.asked = append(n.asked, r.URL.Path+" "+string(body))
		}
		text, status := n.answers[r.Method+" "+r.URL.Path], 200
		if rest, ok := strings.CutPrefix(text, "409 "); ok {
			text, status = rest, 409
		} else if rest, ok := strings.CutPrefix(text, "500 "); ok {
			text, status = rest, 500
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	})
}

func (n *node) serve(t *testing.T, h http.HandlerFunc) *node {
	n.Server = httptest.NewServer(h)
	t.Cleanup(n.Close)
	return n
}

// draining is a node that takes wishes and shows one state after the other, the
// last one for ever; "" is no answer.
func draining(t *testing.T, states ...string) *node {
	var looks atomic.Int32
	return new(node).serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.WriteString(w, "{}")
			return
		}
		state := states[min(int(looks.Add(1)), len(states))-1]
		if state == "" {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, state)
	})
}

// feedctl runs the program and says what it printed, and how it ended.
func (n *node) feedctl(t *testing.T, args ...string) (printed string, code int) {
	t.Helper()
	var out bytes.Buffer
	getenv := func(name string) string {
		if name == "FEEDGATE_ADMIN_ADDR" {
			return n.Listener.Addr().String()
		}
		return ""
	}
	err := run(t.Context(), process{Args: args, Getenv: getenv, Stdout: &out, Stderr: &out})
	if err != nil {
		out.WriteString("error: " + err.Error())
	}
	return out.String(), exitCode(err)
}

const clusterJSON = `{"node":"a","at":"2026-11-23T20:00:00Z",
 "nodes":[
  {"node":"a","gateway":true,"shard":true,"state":"serving","admin":"h:1","started":"2026-11-23T19:00:00Z","owned":1,"answered":true,
   "connections":1200,"deliveries":33.25,"p50":4100000,"p99":88000000,"links":[{"peer":"b","lost":2},{"peer":"c","lost":1}]},
  {"node":"b","gateway":false,"shard":true,"state":"draining","admin":"h:2","started":"2026-11-23T19:59:30Z","owned":1,"answered":true},
  {"node":"c","gateway":true,"shard":true,"state":"dead","beat_age":75,"admin":"h:3","started":"2026-11-20T19:59:30Z"}],
 "shards":[
  {"shard":0,"owner":"a","epoch":3,"head":120,"residents":40,"sessions":30,"lag":0,"pinned":true},
  {"shard":1,"owner":"b","epoch":12,"head":7,"residents":4,"sessions":3,"lag":5},
  {"shard":2,"owner":"","claimed":"c","epoch":2,"head":0}],
 "moves":[{"shard":1,"from":"b","to":"a","since":0.25}],"missing":["c"]}`

func TestTables(t *testing.T) {
	n := newNode(t)
	n.answers["GET /cluster"] = clusterJSON
	for _, c := range []struct{ args, want string }{
		{"nodes", `NODE  ROLES          STATE         SHARDS  CONNECTIONS  DELIVERIES/S     P50      P99  LOSSES   UP  ADMIN
a     gateway,shard  serving            1         1200          33.2  4.1 ms  88.0 ms       3  60m  h:1
b     shard          draining           1            -             -       -        -       0  30s  h:2
c     gateway,shard  dead for 75s       -            -             -       -        -       -   3d  h:3
c does not answer
shard 1 is moving from b to a, for 0.25s
`},
		{"shards", `SHARD  OWNER     EPOCH  HEAD  RESIDENTS  SESSIONS  LAG
    0  a             3   120         40        30    0   pinned
    1  b            12     7          4         3    5  moving to a
    2  (nobody)      2     0          0         0    0   claimed last by c
`},
		{"shards --owner b", `SHARD  OWNER  EPOCH  HEAD  RESIDENTS  SESSIONS  LAG
    1  b         12     7          4         3    5  moving to a
`},
		{"shards --summary", `OWNER     SHARDS   SHARE  RESIDENTS  SESSIONS  MOST LAG
(nobody)       1  33.3 %          0         0         0
a              1  33.3 %         40        30         0
b              1  33.3 %          4         3         5
`},
	} {
		if got, code := n.feedctl(t, strings.Fields(c.args)...); got != c.want || code != exitOK {
			t.Errorf("feedctl %s ended with %d:\n%s\nwant:\n%s", c.args, code, got, c.want)
		}
	}
	got, code := n.feedctl(t, "--json", "shards")
	if !json.Valid([]byte(got)) || code != exitOK || !strings.Contains(got, `"claimed":"c"`) {
		t.Errorf("--json ended with %d:\n%s", code, got)
	}
}

func TestWishes(t *testing.T) {
	n := newNode(t)
	n.answers["POST /cluster/move"] = "{}"
	n.answers["POST /cluster/drain"] = "{}"
	n.answers["GET /cluster"] = clusterJSON
	if got, code := n.feedctl(t, "move", "7", "crew/2"); code != exitOK || !strings.HasPrefix(got, "shard 7 is served by crew/2") {
		t.Errorf("move: %d %s", code, got)
	}
	if got, code := n.feedctl(t, "drain", "a", "--wait", "0s", "--json"); code != exitOK || got != `{"asked":true,"node":"a"}`+"\n" {
		t.Errorf("drain: %d %s", code, got)
	}
	if got := strings.Join(n.asked, "; "); got != `/cluster/move {"node":"crew/2","shard":7}; /cluster/drain {"node":"a"}` {
		t.Errorf("asked %s", got)
	}
	n.answers["POST /cluster/move"] = `409 {"error":"no such node is alive"}`
	if got, code := n.feedctl(t, "move", "7", "x"); code != exitFailed || !strings.Contains(got, "move shard 7 to x: no such node is alive") {
		t.Errorf("move: %d %s", code, got)
	}
}

func TestDrainWaits(t *testing.T) {
	const (
		serving = `{"node":"a","nodes":[{"node":"b","state":"serving","owned":9,"connections":4}]}`
		leaving = `{"node":"a","nodes":[{"node":"b","state":"draining","owned":0,"connections":4}]}`
		gone    = `{"node":"a","nodes":[{"node":"a","state":"serving"}]}`
	)
	for name, c := range map[string]struct {
		states []string
		args   string
		code   int
		want   string
	}{
		"until it is gone": {
			[]string{serving, serving, leaving, gone}, "drain b", exitOK,
			"b: serving, 9 shards and 4 connections left\nb: draining, 0 shards and 4 connections left\nb is gone\n",
		},
		"while nobody answers for a moment": {[]string{leaving, "", gone}, "drain b", exitOK, "b is gone\n"},
		"the node that was asked":           {[]string{gone, ""}, "drain a", exitOK, "a was the node that answered here, and is gone\n"},
		"one that does not go": {
			[]string{leaving}, "drain b --wait 20ms", exitFailed,
			"b: draining, 0 shards and 4 connections left\nerror: b is not gone yet (b: draining, 0 shards and 4 connections left)",
		},
		"nobody answers": {[]string{""}, "drain b", exitFailed, ""},
	} {
		got, code := draining(t, c.states...).feedctl(t, strings.Fields(c.args)...)
		if code != c.code || got != c.want && c.want != "" {
			t.Errorf("%s: %d:\n%s\nwant:\n%s", name, code, got, c.want)
		}
	}
}

func TestExplainAndCheck(t *testing.T) {
	n := newNode(t)
	n.answers["GET /cluster/explain"] = `{"steps":[
	 {"step":"accepted","state":"yes","at":"2026-11-23T20:00:00Z","detail":"by the clock"},
	 {"step":"committed","state":"yes","at":"2026-11-23T20:00:00.004Z","node":"a"},
	 {"step":"sent","state":"no","node":"b","detail":"session 5"}],"missing":"sent","why":"the client takes nothing"}`
	want := `   STEP       AT (UTC)      AFTER  NODE
✓  accepted   20:00:00.000               by the clock
✓  committed  20:00:00.004  +4 ms  a
✗  sent                            b     session 5

First missing step: sent.
the client takes nothing.
error: not all is well`
	if got, code := n.feedctl(t, "explain", "bob", "7"); got != want || code != exitUnwell {
		t.Errorf("%d:\n%s\nwant:\n%s", code, got, want)
	}
	n.answers["GET /cluster/check"] = `500 {"ok":false,"nodes":[{"node":"a","ok":true,"audits":7},{"node":"b","ok":false,"error":"shard 3 is odd","drift":1}]}`
	want = `   NODE  AUDITED  DRIFTED
✓  a           7        0
✗  b           0        1  shard 3 is odd
error: not all is well`
	if got, code := n.feedctl(t, "check"); got != want || code != exitUnwell {
		t.Errorf("%d:\n%s\nwant:\n%s", code, got, want)
	}
	n.answers["GET /cluster/check"] = `{"ok":true,"nodes":[]}`
	if got, code := n.feedctl(t, "--json", "check"); got != `{"ok":true,"nodes":[]}`+"\n" || code != exitOK {
		t.Errorf("%d: %s", code, got)
	}
}

func TestMistakes(t *testing.T) {
	n := newNode(t)
	n.answers["GET /cluster"] = "<html>"
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"":                          {exitUsage, "expected one of"},
		"nonsense":                  {exitUsage, "nonsense"},
		"move one a":                {exitUsage, "int"},
		"explain bob x":             {exitUsage, "not an id"},
		"explain b,b 7":             {exitUsage, "no user id"},
		"nodes --admin %zz":         {exitUsage, "no address"},
		"nodes":                     {exitFailed, "not what a feedgate node answers"},
		"nodes --admin 127.0.0.1:1": {exitFailed, "nobody answers at http://127.0.0.1:1"},
		"--help":                    {exitOK, "Exit codes"},
	} {
		got, code := n.feedctl(t, strings.Fields(args)...)
		if code != want.code || !strings.Contains(got, want.says) {
			t.Errorf("feedctl %s: %d, %s", args, code, got)
		}
	}
}
