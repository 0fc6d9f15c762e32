package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestHTTP(t *testing.T) {
	const bob = "ok:bob"
	at := testID.Time().Format("2006-01-02T15:04:05.000Z")
	post := func(id, author, text string) string {
		return `{"id":"` + id + `","author":"` + author + `","kind":"post","text":` + text + `,"at":"` + at + `","likes":0,"comments":0}`
	}
	users := strings.Repeat(`"`+strings.Repeat("u", 60)+`",`, 999) + `"zoe"`
	for _, tc := range []struct {
		name, token, method, path, body string
		header                          []string
		status                          int
		want                            string // the whole answer, or its error code
		asks                            string // of the shard, or else of storage
	}{
		{"publish", bob, "POST", "/v1/posts", `{"text":" hi ","id":"x","op":7}`, []string{"Idempotency-Key", "k1"}, 201,
			`{"post":` + post("7000000001", "bob", `"hi"`) + `}`, "bob {Text:hi Kind:post Key:k1 More:<nil>}"},
		{"publish for somebody", "service:backend", "POST", "/v1/posts", `{"text":"hi","key":"k2"}`, []string{"Feedgate-User", "ann"}, 201,
			`{"post":` + post("7000000001", "ann", `"hi"`) + `}`, "ann {Text:hi Kind:post Key:k2 More:<nil>}"},
		{"a post", bob, "GET", "/v1/posts/7000000002", "", nil, 200, `{"post":` + post("7000000002", "alice", `"hi"`) + `}`, ""},
		{"no such post", bob, "GET", "/v1/posts/404", "", nil, 404, "not_found", ""},
		{"delete", bob, "DELETE", "/v1/posts/12", "", nil, 200, `{}`, "bob {Post:12}"},
		{"feed", bob, "GET", "/v1/feed?limit=3", "", nil, 200, `{"posts":[` + post("7000000001", "bob", `"line\u2028\"\\\u0001"`) + `],"next":"3"}`, ""},
		{"feed's end", bob, "GET", "/v1/feed?before=1", "", nil, 200, `{"posts":[],"next":""}`, ""},
		{"unread", bob, "GET", "/v1/unread", "", nil, 200, `{"unread":` + counts9 + `,"conversations":{"77":2,"78":1},"stream":"b1"}`, "bob {}"},
		{"read", bob, "POST", "/v1/read", `{"of":"feed","upto":"9"}`, nil, 200, `{"unread":` + counts9 + `,"upto":"9","stream":"b1"}`, "bob {Of:feed Upto:9 Conversation:0}"},
		{"follow", bob, "PUT", "/v1/following/ann", "", nil, 200, `{"since":"77"}`, "bob {Users:[ann] Notify:true}"},
		{"follow an odd name", bob, "PUT", "/v1/following/a%40b:c", "", nil, 200, `{"since":"77"}`, "bob {Users:[a@b:c] Notify:true}"},
		{"follow many", bob, "POST", "/v1/following", `{"users":["ann","zoe"]}`, nil, 200, `{"since":"77"}`, "bob {Users:[ann zoe] Notify:false}"},
		{"follow 1000 long names", bob, "POST", "/v1/following", `{"users":[` + users + `]}`, nil, 200, `{"since":"77"}`,
			"bob {Users:[" + strings.Repeat("u", 60) + " zoe] Notify:false}"},
		{"unfollow", bob, "DELETE", "/v1/following/ann", "", nil, 200, `{}`, "bob {Users:[ann]}"},
		{"following", bob, "GET", "/v1/following?limit=2", "", nil, 200, `{"users":["a","b"],"next":"b"}`, ""},
		{"following's end", bob, "GET", "/v1/following?limit=3&before=b", "", nil, 200, `{"users":["c","d","e"],"next":""}`, ""},
		{"followers", bob, "GET", "/v1/followers", "", nil, 200, `{"users":["a","b","c","d","e"],"next":""}`, ""},
		{"no followers", bob, "GET", "/v1/followers?before=e", "", nil, 200, `{"users":[],"next":""}`, ""},
		{"disconnect", "service:backend", "POST", "/v1/users/ann/disconnect", "", nil, 200, `{}`, ""},

		{"edit", bob, "PATCH", "/v1/posts/12", `{"visibility":"followers","post":"13"}`, nil, 200,
			`{"post":` + strings.TrimSuffix(post("7000000001", "bob", `"edited"`), "}") + `,"edited":"` + at + `"}}`, "bob {Post:12 Text:<nil> Media:<nil> Followers:true Job:<nil>}"},
		{"a post with names", bob, "GET", "/v1/posts/7000000002?expand=true", "", nil, 200,
			`{"post":` + strings.TrimSuffix(post("7000000002", "alice", `"hi"`), "}") + `,"name":"Alice <i>","avatar":"https://a.example/a"}}`, "post 7000000002 for \"bob\"; profiles [alice]"},
		{"a post for a service", "service:backend", "GET", "/v1/posts/7000000002", "", nil, 200, `{"post":` + post("7000000002", "alice", `"hi"`) + `}`, "post 7000000002 for \"\""},
		{"a post as somebody", "service:backend", "GET", "/v1/posts/7000000002", "", []string{"Feedgate-User", "ann"}, 200, `{"post":` + post("7000000002", "alice", `"hi"`) + `}`, "post 7000000002 for \"ann\""},
		{"like", bob, "PUT", "/v1/posts/12/like", "", nil, 200, `{"likes":12}`, "bob {Post:12 Off:false}"},
		{"unlike", bob, "DELETE", "/v1/posts/12/like", "", nil, 200, `{"likes":12}`, "bob {Post:12 Off:true}"},
		{"comment", bob, "POST", "/v1/posts/12/comments", `{"text":"hi"}`, []string{"Idempotency-Key", "k"}, 201,
			`{"comment":{"id":"7000000001","post":"12","author":"bob","text":"hi","at":"` + at + `"}}`, "bob {Post:12 Text:hi Key:k}"},
		{"comments", bob, "GET", "/v1/posts/12/comments?before=1&limit=7", "", nil, 200, `{"comments":[],"next":""}`, "comments 12 before 1 limit 7 for \"bob\""},
		{"notifications", bob, "GET", "/v1/notifications?before=1", "", nil, 200, `{"notifications":[],"next":""}`, "notes of bob before 1 limit 20"},
		{"message", bob, "POST", "/v1/messages", `{"to":["ann"],"text":"hi"}`, []string{"Idempotency-Key", "k"}, 201,
			`{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":"` + at + `"}}`, "bob {To:[ann] Conversation:0 Text:hi Media:[] Reply:0 Key:k}"},
		{"message to a conversation", bob, "POST", "/v1/conversations/77/messages", `{"text":"hi","conversation":"78"}`, nil, 201,
			`{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":"` + at + `"}}`, "bob {To:[] Conversation:77 Text:hi Media:[] Reply:0 Key:}"},
		{"conversations", bob, "GET", "/v1/conversations?before=1", "", nil, 200, `{"conversations":[],"next":""}`, "conversations of bob before 1 limit 20"},
		{"messages", bob, "GET", "/v1/conversations/77/messages?before=1", "", nil, 200, `{"messages":[],"next":"","seen":[]}`, "messages of 77 before 1 limit 20 for bob"},
		{"read messages", bob, "POST", "/v1/read", `{"of":"messages","conversation":"77","upto":"9"}`, nil, 200, `{"unread":` + counts9 + `,"upto":"9","stream":"b1"}`, "bob {Of:messages Upto:9 Conversation:77}"},
		{"received", bob, "POST", "/v1/received", `{"conversation":"77","upto":"9"}`, nil, 200, `{"upto":"9"}`, "bob {Conversation:77 Upto:9}"},
		{"block", bob, "PUT", "/v1/blocks/eve", "", nil, 200, `{}`, "bob {User:eve Kind:1 Off:false}"},
		{"unblock", bob, "DELETE", "/v1/blocks/eve", "", nil, 200, `{}`, "bob {User:eve Kind:1 Off:true}"},
		{"mute", bob, "PUT", "/v1/mutes/eve", "", nil, 200, `{}`, "bob {User:eve Kind:3 Off:false}"},
		{"unmute", bob, "DELETE", "/v1/mutes/eve", "", nil, 200, `{}`, "bob {User:eve Kind:3 Off:true}"},
		{"blocks", bob, "GET", "/v1/blocks?before=e", "", nil, 200, `{"users":[],"next":""}`, `hidden 1 of bob after "e"`},
		{"mutes", bob, "GET", "/v1/mutes?before=e", "", nil, 200, `{"users":[],"next":""}`, `hidden 3 of bob after "e"`},
		{"jobs", bob, "GET", "/v1/jobs?q=a%20%22b&category=%20food%20&location=Ghent&salary_min=1&salary_max=2&currency=EUR&closed=true&closes_by=2027-01-31T00:00:00.000Z&limit=7&before=end", "", nil, 200, `{"posts":[],"next":""}`,
			`jobs {Text:a "b Category:food Location:Ghent SalaryMin:1 SalaryMax:2 Currency:EUR Closing:true ClosesBy:2027-01-31 00:00:00 +0000 UTC Now:0001-01-01 00:00:00 +0000 UTC Before:end Limit:7} for "bob"`},
		{"searches", bob, "GET", "/v1/searches", "", nil, 200, `{"searches":[{"id":"77","name":"bread","query":{"q":"baker"}}]}`, "searches of bob"},
		{"delete a search", bob, "DELETE", "/v1/searches/77", "", nil, 200, `{}`, "drop 77 of bob"},

		{"no token", "", "GET", "/v1/unread", "", nil, 401, "unauthorized", ""},
		{"a token in the URL", "", "GET", "/v1/unread?token=ok:bob", "", nil, 401, "unauthorized", ""},
		{"basic", "", "GET", "/v1/unread", "", []string{"Authorization", "Basic b2s6Ym9i"}, 401, "unauthorized", ""},
		{"expired", "expired:bob", "GET", "/v1/unread", "", nil, 401, "unauthorized", ""},
		{"forged", "forged:bob", "POST", "/v1/posts", `{"text":"hi"}`, nil, 401, "unauthorized", ""},
		{"keys out of reach", "nokeys:bob", "GET", "/v1/unread", "", nil, 503, "unavailable", ""},
		{"acting for others", bob, "GET", "/v1/unread", "", []string{"Feedgate-User", "ann"}, 403, "forbidden", ""},
		{"acting for oneself without scope", bob, "GET", "/v1/unread", "", []string{"Feedgate-User", "bob"}, 403, "forbidden", ""},
		{"acting for no user", "service:backend", "GET", "/v1/unread", "", []string{"Feedgate-User", "a b"}, 400, "bad_request", ""},
		{"disconnect without scope", bob, "POST", "/v1/users/ann/disconnect", "", nil, 403, "forbidden", ""},
		{"disconnect no user", "service:backend", "POST", "/v1/users/a%20b/disconnect", "", nil, 400, "bad_request", ""},
		{"broken JSON", bob, "POST", "/v1/posts", `{"text":`, nil, 400, "bad_request", ""},
		{"empty body", bob, "POST", "/v1/posts", ``, nil, 400, "bad_request", ""},
		{"no object", bob, "POST", "/v1/posts", `["hi"]`, nil, 400, "bad_request", ""},
		{"wrong type", bob, "POST", "/v1/posts", `{"text":5}`, nil, 400, "bad_request", ""},
		{"broken UTF-8", bob, "POST", "/v1/posts", "{\"text\":\"\xff\"}", nil, 400, "bad_request", ""},
		{"U+0000", bob, "POST", "/v1/posts", `{"text":"\u0000"}`, nil, 400, "bad_request", ""},
		{"text of 8001 bytes", bob, "POST", "/v1/posts", `{"text":"` + strings.Repeat("x", 8001) + `"}`, nil, 413, "too_large", ""},
		{"body of 64 KiB and more", bob, "POST", "/v1/posts", `{"text":"x","y":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 413, "too_large", ""},
		{"bulk body above its limit", bob, "POST", "/v1/following", `{"users":["ann"],"y":"` + strings.Repeat("x", maxBulkBody) + `"}`, nil, 413, "too_large", ""},
		{"key of 65 bytes", bob, "POST", "/v1/posts", `{"text":"hi"}`, []string{"Idempotency-Key", strings.Repeat("k", 65)}, 400, "bad_request", ""},
		{"empty key", bob, "POST", "/v1/posts", `{"text":"hi"}`, []string{"Idempotency-Key", ""}, 400, "bad_request", ""},
		{"two keys", bob, "POST", "/v1/posts", `{"text":"hi"}`, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, "bad_request", ""},
		{"key not in UTF-8", bob, "POST", "/v1/posts", `{"text":"hi"}`, []string{"Idempotency-Key", "\xff"}, 400, "bad_request", ""},
		{"no id", bob, "GET", "/v1/posts/abc", "", nil, 400, "bad_request", ""},
		{"limit 0", bob, "GET", "/v1/feed?limit=0", "", nil, 400, "bad_request", ""},
		{"limit 101", bob, "GET", "/v1/feed?limit=101", "", nil, 400, "bad_request", ""},
		{"limit no number", bob, "GET", "/v1/feed?limit=ten", "", nil, 400, "bad_request", ""},
		{"before no id", bob, "GET", "/v1/feed?before=x", "", nil, 400, "bad_request", ""},
		{"before no user", bob, "GET", "/v1/following?before=%00", "", nil, 400, "bad_request", ""},
		{"follow oneself", bob, "PUT", "/v1/following/bob", "", nil, 400, "bad_request", ""},
		{"follow no user", bob, "PUT", "/v1/following/a%2Fb", "", nil, 400, "bad_request", ""},
		{"unknown route", bob, "GET", "/v1/nothing", "", nil, 404, "not_found", ""},
		{"unknown path", "", "GET", "/nothing", "", nil, 404, "not_found", ""},
		{"no dev tokens here", "", "POST", "/dev/token", `{"user":"bob"}`, nil, 404, "not_found", ""},
		{"wrong method", bob, "PATCH", "/v1/posts", "", nil, 405, "bad_request", ""},
		{"wrong method of an id", bob, "PUT", "/v1/posts/12", "", nil, 405, "bad_request", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			header := tc.header
			if tc.token != "" {
				header = append([]string{"Authorization", "Bearer " + tc.token}, header...)
			}
			status, got, body := r.call(tc.method, tc.path, tc.body, append(header, "X-Request-Id", "req-1")...)
			if status != tc.status {
				t.Errorf("status %d, want %d: %s", status, tc.status, body)
			}
			want := tc.want
			if tc.status >= 400 {
				var e struct {
					Error struct{ Code, Message string }
				}
				if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" {
					t.Errorf("%s: %v", body, err)
				}
				body = e.Error.Code
			}
			if body != want {
				t.Errorf("\n got %s\nwant %s", body, want)
			}
			if got.Get("X-Request-Id") != "req-1" || got.Get("Content-Type") != "application/json" {
				t.Errorf("header %v", got)
			}
			asked := ""
			r.shards.mu.Lock()
			for _, q := range r.shards.asked {
				asked += fmt.Sprintf("%s %+v", q.User, q.Do)
				if edit, is := q.Do.(feedengine.Edit); is {
					asked = q.User + " " + spell(edit)
				}
			}
			r.shards.mu.Unlock()
			if asked == "" && tc.asks != "" {
				asked = r.reads.notes()
			}
			if asked != tc.asks {
				t.Errorf("the shard was asked %s, want %s", asked, tc.asks)
			}
		})
	}
}

// TestSaveSearch: what is saved is shown under a new id each time.
func TestSaveSearch(t *testing.T) {
	r := newRig(t)
	c := r.connect("bob")
	ids := map[string]bool{}
	for range 2 {
		c.send(`{"id":5,"op":"save_search","name":" bread ","query":{"q":" baker \"x\" ","category":"Food"}}`)
		status, _, body := r.call("POST", "/v1/searches", `{"name":"bread","query":{"q":"baker \"x\"","category":"Food"}}`, "Authorization", "Bearer ok:bob")
		if status != 201 {
			t.Fatalf("%d %s", status, body)
		}
		for _, got := range []string{string(c.recv().OK), body} {
			rest, ok := strings.CutPrefix(got, `{"search":{"id":"`)
			id, rest, _ := strings.Cut(rest, `"`)
			if !ok || ids[id] || rest != `,"name":"bread","query":{"q":"baker \"x\"","category":"Food"}}}` {
				t.Errorf("got %s", got)
			}
			ids[id] = true
		}
	}
}

// TestHTTPRefusals: a shard's refusals under their status.
func TestHTTPRefusals(t *testing.T) {
	r := newRig(t)
	for code, status := range map[feedengine.Code]int{
		feedengine.BadRequest: 400, feedengine.Unauthorized: 401, feedengine.Forbidden: 403, feedengine.NotFound: 404,
		feedengine.Conflict: 409, feedengine.TooLarge: 413, feedengine.RateLimited: 429, feedengine.Overloaded: 503,
		feedengine.Unavailable: 503, feedengine.Internal: 500,
	} {
		r.shards.set(func(feedengine.Request) feedengine.Result {
			return feedengine.Result{Err: &feedengine.Error{Code: code, Message: "no", Retry: 1200 * time.Millisecond}}
		}, nil)
		got, header, body := r.call("DELETE", "/v1/posts/12", "", "Authorization", "Bearer ok:bob")
		if got != status || header.Get("Retry-After") != "2" || !strings.Contains(body, `"code":"`+string(code)+`"`) {
			t.Errorf("%s: %d %v %s", code, got, header, body)
		}
		if n := r.counter(fmt.Sprintf(`feedgate_requests_total{op="delete",via="http",outcome=%q}`, code)); n != "1" {
			t.Errorf("%s was counted %s times", code, n)
		}
	}
}

// TestHTTPDeadline: a shard that never answers is not waited for without end.
func TestHTTPDeadline(t *testing.T) {
	r := newRig(t)
	gate := make(chan struct{})
	r.shards.set(func(feedengine.Request) feedengine.Result { <-gate; return feedengine.Result{} }, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := &call{user: "bob", began: time.Now()}
	if _, err := r.g.carryOut(ctx, r.g.ops["unread"], c); err == nil || err.Code != feedengine.Unavailable {
		t.Errorf("got %v", err)
	}
	if d := r.shards.asked[0].Deadline; !d.Equal(c.began.Add(10 * time.Second)) {
		t.Errorf("deadline %v", d)
	}
	close(gate)
}

func TestReadiness(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Health = fakeHealth{storage: errors.New("dial tcp secret-host: refused")} })
	want := func(path string, status int, body string) {
		t.Helper()
		if got, _, b := r.call("GET", path, ""); got != status || b != body {
			t.Errorf("%s: %d %s", path, got, b)
		}
	}
	r.g.phase.Store(int32(starting))
	want("/readyz", 503, `{"bus":"ok","memory":"ok","status":"starting","storage":"unavailable"}`)
	want("/healthz", 200, `{"status":"ok"}`)
	r.g.Ready()
	want("/readyz", 200, `{"bus":"ok","memory":"ok","status":"ready","storage":"unavailable"}`)
	if err := r.g.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.g.Ready() // does not come back
	want("/readyz", 503, `{"bus":"ok","memory":"ok","status":"draining","storage":"unavailable"}`)
	want("/healthz", 200, `{"status":"ok"}`)
	status, header, body := r.call("GET", "/v1/ws", "")
	if status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "overloaded") {
		t.Errorf("%d %v %s", status, header, body)
	}
}

func TestDevAndDemo(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.DevToken = func(user string) (string, error) { return "ok:" + user, nil }
		o.Demo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.URL.Path) })
	})
	for _, tc := range [][3]string{
		{"POST /dev/token", `{"user":"alice"}`, `{"token":"ok:alice"}`},
		{"GET /", "", `"/"`},
		{"GET /feedgate.js", "", `"/feedgate.js"`},
	} {
		method, path, _ := strings.Cut(tc[0], " ")
		if status, _, body := r.call(method, path, tc[1]); status != 200 || body != tc[2] {
			t.Errorf("%s: %d %s", tc[0], status, body)
		}
	}
	for _, body := range []string{``, `{}`, `{"user":"a b"}`, `{"user":5}`, `{"user":"` + strings.Repeat("u", 5000) + `"}`} {
		if status, _, got := r.call("POST", "/dev/token", body); status != 400 || !strings.Contains(got, "bad_request") {
			t.Errorf("%.30s: %d %s", body, status, got)
		}
	}
	if status, _, body := r.call("GET", "/v1/nothing", ""); status != 404 || !strings.Contains(body, "not_found") {
		t.Errorf("%d %s", status, body)
	}
}

func TestCORS(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Origins = []string{"*.example.com", "https://one.test:8443"} })
	preflight := []string{"Access-Control-Request-Method", "POST", "Origin"}
	for origin, allowed := range map[string]bool{
		"https://app.example.com": true, "http://APP.example.com": true, "https://one.test:8443": true, "http://one.test:8443": false,
		"https://example.com": false, "https://app.example.com.evil.test": false, "null": false, "garbage": false,
	} {
		_, header, _ := r.call("GET", "/v1/unread", "", "Origin", origin, "Authorization", "Bearer ok:bob")
		if got := header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("%s: %q", origin, got)
		}
		status, header, _ := r.call("OPTIONS", "/v1/posts", "", append(preflight[:3:3], origin)...)
		if allowed != (status == 204 && strings.Contains(header.Get("Access-Control-Allow-Headers"), "Idempotency-Key")) {
			t.Errorf("preflight of %s: %d %v", origin, status, header)
		}
	}
	same := newRig(t)
	if _, header, _ := same.call("GET", "/v1/unread", "", "Origin", "https://app.example.com"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an origin is allowed by default")
	}
	if _, err := newOrigins([]string{"[bad"}); err == nil {
		t.Error("a broken pattern was taken")
	}
}

func TestRequestID(t *testing.T) {
	r := newRig(t)
	for in, kept := range map[string]bool{"abc-123": true, "": false, "a b": false, "x\"y": false, strings.Repeat("x", 65): false, "ü": false} {
		_, header, _ := r.call("GET", "/healthz", "", "X-Request-Id", in)
		if got := header.Get("X-Request-Id"); (got == in) != kept || got == "" {
			t.Errorf("%q became %q", in, got)
		}
	}
}
