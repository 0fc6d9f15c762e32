package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// ask makes one HTTP request and returns the status and the answer.
func (n *node) ask(method, path, bearer, body string) (int, string) {
	n.t.Helper()
	req, err := http.NewRequest(method, "http://"+n.addr+path, bytes.NewReader([]byte(body)))
	if err != nil {
		n.t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode, string(bytes.TrimSpace(answer))
}

// TestAccount has a user put a profile, set a password, log in with it, and use the
// token that this gives.
func TestAccount(t *testing.T) {
	onEach(t, func(t *testing.T, e env) {
		n := start(t, e.with(env{"FEEDGATE_LOGIN_TTL": "1h", "FEEDGATE_JWT_ISSUER": "", "FEEDGATE_JWT_AUDIENCE": ""}))
		bob := token(t, "bob", false)
		must := func(want, method, path, bearer, body string) {
			t.Helper()
			if _, got := n.ask(method, path, bearer, body); got != want {
				t.Errorf("%s %s %s:\n got %s\nwant %s", method, path, body, got, want)
			}
		}
		const whole = `{"profile":{"user":"bob","handle":"Bobby","name":"Bob \u202ex","email":"Bob@example.com","phone":"+491701234567"}}`
		shown := string(bytes.ReplaceAll([]byte(whole), []byte(`\u202e`), []byte("\u202e")))
		must(shown, "PUT", "/v1/profile", bob, `{"handle":"Bobby","name":"Bob \u202ex","email":"Bob@example.com","phone":"+491701234567"}`)
		must(shown, "GET", "/v1/users", bob, "")
		must("{\"profile\":{\"user\":\"bob\",\"handle\":\"Bobby\",\"name\":\"Bob \u202ex\"}}", "GET", "/v1/users?handle=bobby", token(t, "ann", false), "")
		if status, answer := n.ask("PUT", "/v1/profile", token(t, "ann", false), `{"handle":"BOBBY"}`); status != http.StatusConflict {
			t.Errorf("a handle that is taken: %d %s", status, answer)
		}
		if status, answer := n.ask("POST", "/v1/login", "", `{"email":"bob@example.com","password":"correct horse"}`); status != http.StatusUnauthorized {
			t.Errorf("without a password: %d %s", status, answer)
		}
		must("{}", "PUT", "/v1/password", bob, `{"password":"correct horse"}`)
		for _, who := range []string{`"email":"BOB@example.com"`, `"phone":"+491701234567"`} {
			began := time.Now()
			status, answer := n.ask("POST", "/v1/login", "", `{`+who+`,"password":"correct horse"}`)
			var got struct {
				Token, User string
				Expires     time.Time
			}
			if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK || got.User != "bob" {
				t.Fatalf("login: %d %s", status, answer)
			}
			if got.Expires.Before(began.Add(time.Hour-2*time.Second)) || got.Expires.After(time.Now().Add(time.Hour)) {
				t.Errorf("expires %v", got.Expires)
			}
			must(shown, "GET", "/v1/users", got.Token, "")
		}
		// A profile that is replaced keeps the password.
		if status, answer := n.ask("PUT", "/v1/profile", bob, `{"email":"robert@example.com"}`); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		for email, want := range map[string]int{"robert@example.com": http.StatusOK, "bob@example.com": http.StatusUnauthorized} {
			if status, answer := n.ask("POST", "/v1/login", "", `{"email":"`+email+`","password":"correct horse"}`); status != want {
				t.Errorf("%s: %d %s, want %d", email, status, answer, want)
			}
		}
	})
}

// TestPresenceOverTwoNodes has users on two nodes watch one another and type.
func TestPresenceOverTwoNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	one, two := f.node("one"), f.node("two")
	ann, bob := connect(t, &one.node, "ann", nil), connect(t, &two.node, "bob", nil)
	ann.follow("bob")
	ok := ann.must("presence", map[string]any{"users": []string{"bob", "eve"}})
	if len(ok.Presence) != 1 || ok.Presence[0].User != "bob" {
		t.Fatalf("ann may watch %+v", ok.Presence)
	}
	if !ok.Presence[0].Online {
		if got := ann.presence(); got.User != "bob" || !got.Online {
			t.Fatalf("shown %+v", got)
		}
	}
	// A look from the other side, over HTTP, waits for both nodes.
	bob.follow("ann")
	if _, got := two.ask("GET", "/v1/presence?users=ann", token(t, "bob", false), ""); got != `{"presence":[{"user":"ann","online":true}]}` {
		t.Errorf("a look: %s", got)
	}

	said := bob.must("message", map[string]any{"to": "ann", "text": "hi"})
	conversation := said.Message.Conversation
	ann.must("typing", map[string]any{"conversation": conversation})
	if got := bob.typing(); got.User != "ann" || got.Conversation != conversation {
		t.Errorf("typing: %+v", got)
	}

	left := time.Now()
	bob.drop()
	got := ann.presence()
	if got.User != "bob" || got.Online || got.Seen.Before(left.Add(-time.Second)) || got.Seen.After(time.Now()) {
		t.Errorf("bob left at %v: %+v", left, got)
	}
	two.kill()
	connect(t, &one.node, "bob", nil)
	if got := ann.presence(); got.User != "bob" || !got.Online {
		t.Errorf("bob came back on the other node: %+v", got)
	}
}

// shownPresence and shownTyping are frames without a number.
type shownPresence struct {
	User   string    `json:"user"`
	Online bool      `json:"online"`
	Seen   time.Time `json:"seen"`
}

type shownTyping struct {
	Conversation string `json:"conversation"`
	User         string `json:"user"`
}

// presence waits for how a user is shown.
func (c *client) presence() *shownPresence {
	c.t.Helper()
	for {
		if f := c.next(); f.Presence != nil {
			return f.Presence
		}
	}
}

// typing waits for somebody who types.
func (c *client) typing() *shownTyping {
	c.t.Helper()
	for {
		if f := c.next(); f.Typing != nil {
			return f.Typing
		}
	}
}
