package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// TestBadInput holds what apps may not ask to its refusal, over WebSocket and HTTP
// alike. What only a shard can know is refused by it; what the gateway can know
// does not reach a shard, nor storage.
func TestBadInput(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst = 1e6, 1e6 })
	c := r.connect("bob")
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		switch do := q.Do.(type) {
		case feedengine.LikePost:
			return refused(do.Post)
		case feedengine.AddComment:
			return refused(do.Post)
		case feedengine.Edit:
			return refused(do.Post)
		case feedengine.Send:
			if len(do.To) > 0 && do.To[0] == "blocker" {
				return refused(403)
			}
			return refused(max(do.Conversation, do.Reply))
		case feedengine.Read:
			return refused(do.Conversation)
		case feedengine.Received:
			return refused(do.Conversation)
		}
		return plain(q)
	}, nil)
	long := strings.Repeat("x", 10<<10)
	media := func(n int) string {
		return `[` + strings.TrimSuffix(strings.Repeat(`{"url":"http://a/b"},`, n), ",") + `]`
	}
	job := func(fields string) string { return `{"kind":"job","text":"x","job":{` + fields + `}}` }
	const knows = true // the shard's or the store's to refuse
	for _, tc := range []struct {
		name, op, fields string
		method, path     string // with the fields as body, or for GET as its query
		code             string
		asked            bool
	}{
		{"a message to oneself", "message", `{"to":"bob","text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to a list of oneself", "message", `{"to":["bob","bob"],"text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to nobody", "message", `{"to":[],"text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message without a to", "message", `{"text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to two things", "message", `{"to":"ann","conversation":"7","text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to a blocker", "message", `{"to":"blocker","text":"hi"}`, "POST", "/v1/messages", "forbidden", knows},
		{"a message to 257 people", "message", `{"to":[` + others(256) + `],"text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to no user", "message", `{"to":"a b","text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to null", "message", `{"to":[null],"text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message to a conversation one is not in", "message", `{"conversation":"404","text":"hi"}`, "POST", "/v1/messages", "not_found", knows},
		{"the same by its path", "", `{"text":"hi"}`, "POST", "/v1/conversations/404/messages", "not_found", knows},
		{"a conversation that is no id", "message", `{"conversation":"x","text":"hi"}`, "POST", "/v1/messages", "bad_request", false},
		{"a reply to what is not there", "message", `{"to":"ann","text":"hi","reply":"404"}`, "POST", "/v1/messages", "not_found", knows},
		{"a reply that is no id", "message", `{"to":"ann","text":"hi","reply":"0"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message without text", "message", `{"to":"ann","text":" "}`, "POST", "/v1/messages", "bad_request", false},
		{"a message of 10 KB", "message", `{"to":"ann","text":"` + long + `"}`, "POST", "/v1/messages", "too_large", false},
		{"a message with U+0000", "message", `{"to":"ann","text":"a\u0000"}`, "POST", "/v1/messages", "bad_request", false},
		{"a message with 11 media", "message", `{"to":"ann","text":"hi","media":` + media(11) + `}`, "POST", "/v1/messages", "bad_request", false},
		{"a message with a long key", "message", `{"to":"ann","text":"hi","key":"` + strings.Repeat("k", 65) + `"}`, "POST", "/v1/messages", "bad_request", false},

		{"messages of a conversation one is not in", "messages", `{"conversation":"404"}`, "GET", "/v1/conversations/404/messages", "not_found", knows},
		{"messages without a conversation", "messages", `{"limit":5}`, "", "", "bad_request", false},
		{"a read mark of messages without a conversation", "read", `{"of":"messages","upto":"9"}`, "POST", "/v1/read", "bad_request", false},
		{"a read mark of a conversation one is not in", "read", `{"of":"messages","upto":"9","conversation":"404"}`, "POST", "/v1/read", "not_found", knows},
		{"a read mark of nothing", "read", `{"of":"likes","upto":"9"}`, "POST", "/v1/read", "bad_request", false},
		{"a read mark that is no id", "read", `{"of":"feed","upto":"-1"}`, "POST", "/v1/read", "bad_request", false},
		{"received, where one is not", "received", `{"upto":"9","conversation":"404"}`, "POST", "/v1/received", "not_found", knows},
		{"received, without a mark", "received", `{"conversation":"7"}`, "POST", "/v1/received", "bad_request", false},

		{"a like of a deleted post", "like", `{"post":"404"}`, "PUT", "/v1/posts/404/like", "not_found", knows},
		{"a like of no id", "like", `{"post":"+7"}`, "PUT", "/v1/posts/+7/like", "bad_request", false},
		{"an unlike of an invisible post", "unlike", `{"post":"404"}`, "DELETE", "/v1/posts/404/like", "not_found", knows},
		{"a comment on a post of a blocker", "comment", `{"post":"404","text":"hi"}`, "POST", "/v1/posts/404/comments", "not_found", knows},
		{"a comment without text", "comment", `{"post":"7"}`, "POST", "/v1/posts/7/comments", "bad_request", false},
		{"a comment of 10 KB", "comment", `{"post":"7","text":"` + long + `"}`, "POST", "/v1/posts/7/comments", "too_large", false},
		{"comments of an invisible post", "comments", `{"post":"404"}`, "GET", "/v1/posts/404/comments", "not_found", knows},
		{"an invisible post", "post", `{"post":"404"}`, "GET", "/v1/posts/404", "not_found", knows},
		{"a follow of oneself", "follow", `{"user":"bob"}`, "PUT", "/v1/following/bob", "bad_request", false},
		{"a block of oneself", "block", `{"user":"bob"}`, "PUT", "/v1/blocks/bob", "bad_request", false},
		{"a mute of oneself", "mute", `{"user":"bob"}`, "PUT", "/v1/mutes/bob", "bad_request", false},
		{"a block of no user", "block", `{"user":"a/b"}`, "PUT", "/v1/blocks/a%2Fb", "bad_request", false},

		{"an edit of nothing", "edit", `{"post":"7"}`, "PATCH", "/v1/posts/7", "bad_request", false},
		{"an edit of somebody else's post", "edit", `{"post":"403","text":"x"}`, "PATCH", "/v1/posts/403", "forbidden", knows},
		{"an edit of a deleted post", "edit", `{"post":"404","text":"x"}`, "PATCH", "/v1/posts/404", "not_found", knows},
		{"an edit to no text", "edit", `{"post":"7","text":""}`, "PATCH", "/v1/posts/7", "bad_request", false},
		{"an edit to odd media", "edit", `{"post":"7","media":[{"url":"x"}]}`, "PATCH", "/v1/posts/7", "bad_request", false},

		{"an odd visibility", "publish", `{"text":"x","visibility":"friends"}`, "POST", "/v1/posts", "bad_request", false},
		{"an odd kind", "publish", `{"text":"x","kind":"story"}`, "POST", "/v1/posts", "bad_request", false},
		{"a job without one", "publish", `{"text":"x","kind":"job"}`, "POST", "/v1/posts", "bad_request", false},
		{"a post with a job", "publish", `{"text":"x","job":{"title":"x"}}`, "POST", "/v1/posts", "bad_request", false},
		{"media of a script", "publish", `{"text":"x","media":[{"url":"javascript:alert(1)"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media without a host", "publish", `{"text":"x","media":[{"url":"http:///x"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media with a line end", "publish", `{"text":"x","media":[{"url":"http://a/\n"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media of 2,049 bytes", "publish", `{"text":"x","media":[{"url":"http://a/` + strings.Repeat("x", 2040) + `"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media of a long type", "publish", `{"text":"x","media":[{"url":"http://a/","type":"` + strings.Repeat("x", 101) + `"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media of an odd type", "publish", `{"text":"x","media":[{"url":"http://a/","type":"a\u202eb"}]}`, "POST", "/v1/posts", "bad_request", false},
		{"media of negative size", "publish", `{"text":"x","media":[{"url":"http://a/","size":-1}]}`, "POST", "/v1/posts", "bad_request", false},
		{"a job without a title", "publish", job(`"title":" "`), "POST", "/v1/posts", "bad_request", false},
		{"a job with a long title", "publish", job(`"title":"` + strings.Repeat("x", 201) + `"`), "POST", "/v1/posts", "bad_request", false},
		{"a job with U+0000", "publish", job(`"title":"x","location":"a\u0000b"`), "POST", "/v1/posts", "bad_request", false},
		{"a job with a long category", "publish", job(`"title":"x","category":"` + strings.Repeat("x", 101) + `"`), "POST", "/v1/posts", "bad_request", false},
		{"a job that pays backwards", "publish", job(`"title":"x","salary_min":2,"salary_max":1`), "POST", "/v1/posts", "bad_request", false},
		{"a job that costs", "publish", job(`"title":"x","salary_min":-2`), "POST", "/v1/posts", "bad_request", false},
		{"a job paid in shells", "publish", job(`"title":"x","currency":"Eur"`), "POST", "/v1/posts", "bad_request", false},
		{"a job that closes some day", "publish", job(`"title":"x","closes":"some day"`), "POST", "/v1/posts", "bad_request", false},

		{"10 KB to search for", "jobs", `{"q":"` + long + `"}`, "GET", "/v1/jobs", "too_large", false},
		{"U+0000 to search for", "jobs", `{"q":"a\u0000"}`, "GET", "/v1/jobs", "bad_request", false},
		{"a forged cursor", "jobs", `{"before":"forged"}`, "GET", "/v1/jobs", "bad_request", knows},
		{"a long cursor", "jobs", `{"before":"` + long + `"}`, "GET", "/v1/jobs", "bad_request", false},
		{"a salary that is no number", "jobs", `{"salary_min":"1"}`, "", "", "bad_request", false},
		{"the same in a query", "", `{"salary_min":"x"}`, "GET", "/v1/jobs", "bad_request", false},
		{"jobs of an odd currency", "jobs", `{"currency":"€"}`, "GET", "/v1/jobs", "bad_request", false},
		{"closing by no time", "jobs", `{"closes_by":"soon"}`, "GET", "/v1/jobs?closes_by=soon", "bad_request", false},
		{"closed, perhaps", "jobs", `{"closed":"maybe"}`, "GET", "/v1/jobs", "bad_request", false},
		{"expand, perhaps", "feed", `{"expand":"maybe"}`, "GET", "/v1/feed", "bad_request", false},
		{"a search of nothing", "save_search", `{"name":"x"}`, "POST", "/v1/searches", "bad_request", false},
		{"a search with a long name", "save_search", `{"name":"` + strings.Repeat("x", 101) + `","query":{}}`, "POST", "/v1/searches", "bad_request", false},
		{"a search for 10 KB", "save_search", `{"query":{"q":"` + long + `"}}`, "POST", "/v1/searches", "too_large", false},
		{"one search too many", "save_search", `{"name":"one too many","query":{"q":"x"}}`, "POST", "/v1/searches", "conflict", knows},
		{"somebody else's search", "delete_search", `{"search":"404"}`, "DELETE", "/v1/searches/404", "not_found", knows},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.shards.mu.Lock()
			r.shards.asked = nil
			r.shards.mu.Unlock()
			r.reads.forget()
			ways, messages := 0, map[string]bool{}
			if tc.op != "" {
				ways++
				c.send(`{"id":5,"op":"` + tc.op + `",` + strings.TrimSpace(tc.fields[1:]))
				f := c.recv()
				if f.Err == nil || f.Err.Code != tc.code {
					t.Fatalf("over WebSocket: %s %+v, want %s", f.OK, f.Err, tc.code)
				}
				messages[f.Err.Message] = true
			}
			if tc.path != "" {
				ways++
				path, body := tc.path, tc.fields
				if tc.method == http.MethodGet {
					path, body = path+queryOf(t, tc.fields), ""
				}
				status, _, got := r.call(tc.method, path, body, "Authorization", "Bearer ok:bob")
				var e struct {
					Error struct{ Code, Message string }
				}
				if err := json.Unmarshal([]byte(got), &e); err != nil || e.Error.Code != tc.code || status != statusOf(feedengine.Code(tc.code)) {
					t.Fatalf("over HTTP: %d %s, want %s", status, got, tc.code)
				}
				messages[e.Error.Message] = true
			}
			if tc.code == "not_found" && len(messages) != 1 {
				t.Errorf("what is not there is told in %d ways: %v", len(messages), messages)
			}
			if got := len(r.shards.actions()) + r.reads.times(); (got == ways) != tc.asked || got > ways {
				t.Errorf("shard and storage were asked %d times: %+v %s", got, r.shards.actions(), r.reads.notes())
			}
		})
	}
}

// refused is a shard's answer about an id that stands for its HTTP status.
func refused(id feedengine.ID) feedengine.Result {
	switch id {
	case 403:
		return feedengine.Result{Err: feedengine.Refuse(feedengine.Forbidden, "no")}
	case 404:
		return feedengine.Result{Err: feedengine.Refuse(feedengine.NotFound, "there is no such thing, or it has been deleted")}
	}
	return feedengine.Result{Err: feedengine.Refuse(feedengine.Internal, "should not have been asked")}
}

// queryOf is a URL's query with the fields.
func queryOf(t *testing.T, fields string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(fields), &m); err != nil {
		t.Fatal(err)
	}
	q := url.Values{}
	for name, v := range m {
		q.Set(name, fmt.Sprint(v))
	}
	return "?" + q.Encode()
}
