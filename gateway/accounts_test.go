package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	bobWhole  = `{"profile":{"user":"bob","handle":"Bobby","name":"Bob","avatar":"https://example.com/b.png","email":"Bob@example.com","phone":"+491701234567","subject":"idp|bob"}}`
	bobPublic = `{"profile":{"user":"bob","handle":"Bobby","name":"Bob","avatar":"https://example.com/b.png"}}`
)

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// code is the error code of an answer, or the whole answer.
func codeIn(body string) string {
	if _, rest, ok := strings.Cut(body, `{"error":{"code":"`); ok {
		code, _, _ := strings.Cut(rest, `"`)
		return code
	}
	return body
}

// TestProfile looks profiles up; what is private is not found with, either.
func TestProfile(t *testing.T) {
	r := newRig(t)
	asService := append(bearer("service:backend"), "Feedgate-User", "ann")
	for _, tc := range []struct {
		path  string
		as    []string
		wants string
	}{
		{"/v1/users", bearer("ok:bob"), bobWhole},
		{"/v1/users/bob", bearer("ok:bob"), bobWhole},
		{"/v1/users/bob", bearer("ok:ann"), bobPublic},
		{"/v1/users/bob", asService, bobWhole},
		{"/v1/users?handle=bobby", bearer("ok:ann"), bobPublic},
		{"/v1/users?handle=bobby", bearer("ok:bob"), bobWhole},
		{"/v1/users?email=bob@EXAMPLE.com", bearer("ok:bob"), bobWhole},
		{"/v1/users?email=bob@example.com", asService, bobWhole},
		{"/v1/users?phone=%2B491701234567", asService, bobWhole},
		{"/v1/users?subject=idp%7Cbob", asService, bobWhole},
		{"/v1/users?subject=idp%7Cbob", bearer("ok:bob"), bobWhole},
		{"/v1/users?subject=idp%7Cbob", bearer("ok:ann"), "not_found"},
		{"/v1/users/nobody", bearer("ok:ann"), "not_found"},
		{"/v1/users", bearer("ok:nobody"), "not_found"},
		{"/v1/users?handle=nobody", bearer("ok:ann"), "not_found"},
		{"/v1/users?handle=", bearer("ok:ann"), "bad_request"},
		{"/v1/users?email=", bearer("ok:ann"), "bad_request"},
		{"/v1/users?handle=a-b", bearer("ok:ann"), "bad_request"},
		{"/v1/users?handle=a%00", bearer("ok:ann"), "bad_request"},
		{"/v1/users?email=a", bearer("ok:ann"), "bad_request"},
		{"/v1/users?phone=0170", bearer("ok:ann"), "bad_request"},
		{"/v1/users?subject=%ff", bearer("ok:ann"), "bad_request"},
		{"/v1/users?handle=bobby&email=bob@example.com", bearer("ok:ann"), "bad_request"},
		{"/v1/users/a%20b", bearer("ok:ann"), "bad_request"},
	} {
		if _, _, body := r.call("GET", tc.path, "", tc.as...); codeIn(body) != tc.wants {
			t.Errorf("GET %s as %v:\n got %s\nwant %s", tc.path, tc.as, body, tc.wants)
		}
	}

	// An e-mail or a phone that is there is answered to others like one that is not.
	for there, not := range map[string]string{"email=bob@example.com": "email=not@example.com", "phone=%2B491701234567": "phone=%2B491701234568"} {
		s1, _, there := r.call("GET", "/v1/users?"+there, "", bearer("ok:ann")...)
		s2, _, not := r.call("GET", "/v1/users?"+not, "", bearer("ok:ann")...)
		if s1 != http.StatusNotFound || s1 != s2 || there != not {
			t.Errorf("an account can be guessed:\n%d %s\n%d %s", s1, there, s2, not)
		}
	}
	c := r.connect("ann")
	c.send(`{"id":2,"op":"profile","handle":"bobby"}`)
	c.want(`{"re":2,"ok":` + strings.TrimSpace(bobPublic) + `}`)
	c.send(`{"id":3,"op":"profile"}`)
	c.want(`{"re":3,"ok":{"profile":{"user":"ann","handle":"ann","email":"ann@example.com"}}}`)
	c.send(`{"id":4,"op":"profile","handle":null,"user":"bob"}`)
	c.want(`{"re":4,"ok":` + strings.TrimSpace(bobPublic) + `}`)
}

func TestPutProfile(t *testing.T) {
	put := func(r *rig, as []string, body string) (string, *feedengine.PutProfile) {
		_, _, answer := r.call("PUT", "/v1/profile", body, as...)
		for _, a := range slices.Backward(r.shards.actions()) {
			if p, ok := a.(feedengine.PutProfile); ok {
				return answer, &p
			}
		}
		return answer, nil
	}
	bob := bearer("ok:bob")
	service := append(bearer("service:backend"), "Feedgate-User", "bob")
	for _, tc := range []struct {
		name, body string
		as         []string
		want       feedengine.Profile
	}{
		{"empties", `{}`, bob, feedengine.Profile{User: "bob", Subject: "idp|bob"}},
		{"all", `{"handle":"B_o1","name":" Bob \u202e<b> ","avatar":"http://x.example/y","email":"a.b+c@d.example","phone":"+123456"}`, bob,
			feedengine.Profile{User: "bob", Handle: "B_o1", Name: "Bob \u202e<b>", Avatar: "http://x.example/y", Email: "a.b+c@d.example", Phone: "+123456", Subject: "idp|bob"}},
		{"the user cannot change the subject", `{"user":"ann","subject":"idp|ann"}`, bob, feedengine.Profile{User: "bob", Subject: "idp|bob"}},
		{"nor one without a profile set it", `{"subject":"idp|bob"}`, bearer("ok:new"), feedengine.Profile{User: "new"}},
		{"a service can", `{"subject":"idp|ann"}`, service, feedengine.Profile{User: "bob", Subject: "idp|ann"}},
		{"and take it away", `{"handle":"b"}`, service, feedengine.Profile{User: "bob", Handle: "b"}},
		{"longest", `{"handle":"` + strings.Repeat("h", 30) + `","name":"` + strings.Repeat("n", 100) + `","phone":"+123456789012345","email":"` + strings.Repeat("l", 64) + "@" + strings.Repeat("d", 189) + `"}`, bob,
			feedengine.Profile{User: "bob", Handle: strings.Repeat("h", 30), Name: strings.Repeat("n", 100), Phone: "+123456789012345", Email: strings.Repeat("l", 64) + "@" + strings.Repeat("d", 189), Subject: "idp|bob"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer, got := put(newRig(t), tc.as, tc.body)
			if got == nil || got.Profile != tc.want {
				t.Fatalf("asked for %+v (%s), want %+v", got, answer, tc.want)
			}
			if !strings.HasPrefix(answer, `{"profile":{"user":"`+tc.want.User+`"`) || tc.want.Subject != "" && !strings.Contains(answer, `"subject":"idp|`) {
				t.Errorf("answer %s", answer)
			}
		})
	}
	r := newRig(t)
	for _, body := range []string{
		`{"handle":"` + strings.Repeat("h", 31) + `"}`, `{"handle":"a b"}`, `{"handle":"ä"}`, `{"handle":"@bob"}`, `{"handle":7}`,
		`{"name":"` + strings.Repeat("n", 101) + `"}`, `{"name":"a\nb"}`, `{"name":"a\u0000"}`, `{"name":"a\u0085b"}`, "{\"name\":\"\xff\"}",
		`{"avatar":"javascript:alert(1)"}`, `{"avatar":"//x.example/a.png"}`, `{"avatar":"https://"}`, `{"avatar":"https://x.example/` + strings.Repeat("a", 2048) + `"}`,
		`{"email":"bob"}`, `{"email":"@x.example"}`, `{"email":"bob@"}`, `{"email":"a@b@c"}`, `{"email":"a b@c"}`, `{"email":"bob@x.example\n"}`,
		`{"email":"bób@x.example"}`, `{"email":"<bob@x.example>"}`, `{"email":"a@` + strings.Repeat("d", 253) + `"}`, `{"email":"` + strings.Repeat("l", 65) + `@d"}`,
		`{"phone":"0170123456"}`, `{"phone":"+12345"}`, `{"phone":"+1234567890123456"}`, `{"phone":"+12 34567"}`, `{"phone":"+١٢٣٤٥٦"}`,
		`{"subject":"` + strings.Repeat("s", 201) + `"}`, `{"subject":"a\u0007"}`,
	} {
		if answer, got := put(r, bob, body); codeIn(answer) != "bad_request" || got != nil {
			t.Errorf("%.100s: %s, asked for %+v", body, answer, got)
		}
	}
	r.people.fail(feedengine.ErrUnavailable)
	if answer, got := put(r, bob, `{}`); codeIn(answer) != "unavailable" || got != nil {
		t.Errorf("while the subject is not known: %s, %+v", answer, got)
	}
	c := r.connect("bob")
	r.people.fail(nil)
	c.send(`{"id":2,"op":"put_profile","handle":"b"}`)
	c.want(`{"re":2,"ok":{"profile":{"user":"bob","handle":"b","subject":"idp|bob"}}}`)
	r.shards.set(func(feedengine.Request) feedengine.Result {
		return feedengine.Result{Err: feedengine.Refuse(feedengine.Conflict, "the handle is somebody else's")}
	}, nil)
	c.send(`{"id":3,"op":"put_profile","handle":"ann"}`)
	c.want(`{"re":3,"error":{"code":"conflict","message":"the handle is somebody else's","retryable":false}}`)
}

// withLogin has a rig take logins.
func withLogin(o *Options) {
	o.Login.Issue = func(user string) (string, time.Time, error) {
		return "ok:" + user, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), nil
	}
}

func TestPassword(t *testing.T) {
	r := newRig(t, withLogin, attempts(5, 1000))
	set := func(body string, as ...string) string {
		t.Helper()
		_, _, answer := r.call("PUT", "/v1/password", body, as...)
		return strings.TrimSpace(codeIn(answer))
	}
	logsIn := func(password string) bool {
		t.Helper()
		status, _, _ := r.call("POST", "/v1/login", `{"email":"bob@example.com","password":"`+password+`"}`)
		return status == 200
	}
	bob := bearer("ok:bob")
	for _, tc := range []struct{ body, want string }{
		{`{}`, "bad_request"},
		{`{"password":"1234567"}`, "bad_request"},
		{`{"password":"` + strings.Repeat("x", 257) + `"}`, "bad_request"},
		{`{"password":"` + strings.Repeat("x", 10<<10) + `"}`, "bad_request"},
		{`{"password":"1234567\u0000"}`, "bad_request"},
		{"{\"password\":\"1234567\xff\"}", "bad_request"},
		{`{"password":12345678}`, "bad_request"},
		{`{"password":"first word","old":"` + strings.Repeat("x", 257) + `"}`, "bad_request"},
	} {
		if got := set(tc.body, bob...); got != tc.want || r.people.hash("bob") != "" {
			t.Errorf("%.60s: %s, want %s", tc.body, got, tc.want)
		}
	}
	steps := []struct {
		body string
		as   []string
		want string
		now  string // the password then
	}{
		{`{"password":"first word"}`, bob, "{}", "first word"},
		{`{"password":"second word"}`, bob, "forbidden", "first word"},
		{`{"password":"second word","old":"another"}`, bob, "forbidden", "first word"},
		{`{"password":"second word","old":"first word"}`, bob, "{}", "second word"},
		{`{"password":"third word"}`, append(bearer("service:backend"), "Feedgate-User", "bob"), "{}", "third word"},
	}
	for _, tc := range steps {
		if got := set(tc.body, tc.as...); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.body, got, tc.want)
		}
		if !logsIn(tc.now) {
			t.Errorf("%s: the password is not %q", tc.body, tc.now)
		}
	}
	if logsIn("first word") {
		t.Error("an old password is taken")
	}
	if got := set(`{"password":"first word"}`, bearer("ok:eve")...); got != "conflict" {
		t.Errorf("without e-mail and phone: %s", got)
	}
	if got := set(`{"password":"first word"}`, bearer("ok:nobody")...); got != "conflict" {
		t.Errorf("without a profile: %s", got)
	}
	c := r.connect("dan") // who has a phone alone
	c.send(`{"id":2,"op":"password","password":"first word"}`)
	c.want(`{"re":2,"ok":{}}`)

	// Who has a stolen token may guess so often.
	for range 4 { // one was above
		if got := set(`{"password":"second word","old":"guessed"}`, bob...); got != "forbidden" {
			t.Errorf("guessed: %s", got)
		}
	}
	if got := set(`{"password":"second word","old":"third word"}`, bob...); got != "rate_limited" {
		t.Errorf("guessed too often: %s", got)
	}
}
