package wire

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Request
	}{
		{`{}`, Request{}},
		{`{"id":7,"op":"publish","text":"x","key":"","kind":"post"}`,
			Request{ID: 7, Op: "publish", Text: "x", Kind: "post", Has: HasID | HasOp | HasText | HasKey | HasKind}},
		{`{"op":"connect","resume":{"n":3,"x":[],"stream":"a\u0039"},"feed":5,"token":"t"}`,
			Request{Op: "connect", Resume: &Resume{"a9", 3}, Feed: 5, Token: "t", Has: HasOp | HasResume | HasFeed | HasToken}},
		{`{"users":["a","\u0062"],"n":9007199254740992}`, Request{Users: []string{"a", "b"}, N: 1 << 53, Has: HasUsers | HasN}},
		{`{"resume":null,"users":null,"n":null,"id":null,"text":null}`, Request{}},
		{`{"text":"\ud800\u00e9\n"}`, Request{Text: "\uFFFDé\n", Has: HasText}},
		{`{"Text":"x","TEXT":1}`, Request{}},
		{`{"x":{"text":"inner","y":["}","]",{"a":"\"}"}]},"text":"outer"}`, Request{Text: "outer", Has: HasText}},
		{`{"n":9007199254740993}`, Request{Has: HasN, Fault: Fault{false, `"n" must be an integer from 0 to 2^53`}}},
		{`{"n":-1,"text":5}`, Request{Has: HasN, Fault: Fault{true, `"text" must be a string`}}},
		{`{"n":true}`, Request{Fault: Fault{true, `"n" must be an integer`}}},
		{`{"resume":{"stream":"a"}}`, Request{Fault: Fault{true, `"resume" must have a stream and an n`}}},
		{`{"resume":{"stream":"a","n":-1}}`, Request{Fault: Fault{false, `resume: "n" must be an integer from 0 to 2^53`}}},
		{`{"resume":[]}`, Request{Fault: Fault{true, `"resume" must be an object`}}},
		{`{"op":"publish","kind":"job","visibility":"followers","media":[{"url":"u","type":"t","size":3,"x":1},{}],"job":{"title":"T","category":"c","location":"l","salary_min":1,"salary_max":2,"currency":"EUR","closes":"2026-03-04T05:06:07.089999+01:00","q":5}}`,
			Request{Op: "publish", Kind: "job", Visibility: "followers", Media: []Media{{"u", "t", 3}, {}},
				Job: &Job{"T", "c", "l", 1, 2, "EUR", time.Date(2026, 3, 4, 4, 6, 7, 89e6, time.UTC)}, Has: HasOp | HasKind | HasVisibility | HasMedia | HasJob}},
		{`{"to":"bob","conversation":"7","reply":"8"}`, Request{To: []string{"bob"}, Conversation: "7", Reply: "8", Has: HasTo | HasConversation | HasReply}},
		{`{"to":["bob","ann"],"expand":true,"closed":false}`, Request{To: []string{"bob", "ann"}, Expand: true, Has: HasTo | HasExpand | HasClosed}},
		{`{"q":"a","category":"b","location":"c","salary_min":1,"salary_max":2,"currency":"d","search":"9"}`,
			Request{Find: Query{"a", "b", "c", 1, 2, "d"}, Search: "9", Has: HasQ | HasCategory | HasLocation | HasSalaryMin | HasSalaryMax | HasCurrency | HasSearch}},
		{`{"name":"n","query":{"q":"a","x":{},"salary_max":7}}`, Request{Name: "n", Query: &Query{Q: "a", SalaryMax: 7}, Has: HasName | HasQuery}},
		{`{"handle":"h","avatar":"a","email":"e","phone":"p","subject":"s","password":"w","old":"o"}`,
			Request{Handle: "h", Avatar: "a", Email: "e", Phone: "p", Subject: "s", Password: "w", Old: "o",
				Has: HasHandle | HasAvatar | HasEmail | HasPhone | HasSubject | HasPassword | HasOld}},
		{`{"media":[],"job":null,"query":null,"to":null,"expand":null}`, Request{Media: []Media{}, Has: HasMedia}},
		{`{"media":[{},{},{},{},{},{},{},{},{},{},{}]}`, Request{Fault: Fault{false, `"media" must have at most 10 elements`}}},
		{`{"media":{}}`, Request{Fault: Fault{true, `"media" must be a list`}}},
		{`{"media":[null]}`, Request{Fault: Fault{true, `"media" must be a list of objects`}}},
		{`{"media":[{"size":-1}]}`, Request{Fault: Fault{false, `media: "size" must be an integer from 0 to 2^53`}}},
		{`{"media":[{"url":5}]}`, Request{Fault: Fault{true, `media: "url" must be a string`}}},
		{`{"job":{"title":["x"]}}`, Request{Fault: Fault{true, `job: "title" must be a string`}}},
		{`{"job":{"salary_min":1.5}}`, Request{Fault: Fault{false, `job: "salary_min" must be an integer from 0 to 2^53`}}},
		{`{"job":{"closes":"tomorrow"}}`, Request{Fault: Fault{false, `job: "closes" must be a time as in RFC 3339`}}},
		{`{"job":{"closes":"0000-01-01T00:00:00+01:00"}}`, Request{Fault: Fault{false, `job: "closes" must be a time as in RFC 3339`}}},
		{`{"job":"x"}`, Request{Fault: Fault{true, `"job" must be an object`}}},
		{`{"query":[]}`, Request{Fault: Fault{true, `"query" must be an object`}}},
		{`{"to":7}`, Request{Fault: Fault{true, `"to" must be a list of strings`}}},
		{`{"to":["a",null]}`, Request{Fault: Fault{true, `"to" must be a list of strings`}}},
		{`{"expand":"true"}`, Request{Fault: Fault{true, `"expand" must be true or false`}}},
		{`{"salary_min":-1}`, Request{Has: HasSalaryMin, Fault: Fault{false, `"salary_min" must be an integer from 0 to 2^53`}}},
		{"{\"text\":\"\xff\"}", Request{Text: "\uFFFD", Has: HasText, Fault: Fault{true, "the frame is not valid UTF-8"}}},
	} {
		var got Request
		if err := JSON.Decode([]byte(tc.in), &got); err != nil {
			t.Errorf("%s: %v", tc.in, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.in, diff)
		}
	}
	for _, in := range []string{``, ` `, `{`, `{"id":1}x`, `[]`, `null`, `7`, `"{}"`, `{"a":1,}`, `{'a':1}`, "{\"a\":\"\x00\"}", strings.Repeat("[", 20000)} {
		if err := JSON.Decode([]byte(in), new(Request)); !errors.Is(err, ErrBroken) {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}

func TestDecodeFields(t *testing.T) {
	var got Request
	if err := DecodeFields([]byte(`{"id":"x","op":5,"ack":"y","token":7,"text":"t"}`), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Request{Text: "t", Has: HasText}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzDecode compares with encoding/json, which decides what is JSON and what
// the members of an object are.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"id":7,"op":"publish","text":"x"}`, `{"resume":{"stream":"a","n":1},"feed":20}`, `{"users":["a","b"]}`,
		`{"media":[{"url":"u","type":"t","size":3},{}],"job":{"title":"T","closes":"2026-03-04T05:06:07Z","salary_min":1}}`,
		`{"to":"a","query":{"q":"x","salary_max":7},"expand":true,"closed":false,"category":""}`, `{"to":["a"],"media":[],"handle":"h"}`,
		`{"n":-0,"limit":1e3,"ack":1.0}`, `{ "a" : { "b":[1,"]",null] } , "text" : "\u00e9\"" }`, `{"text":"a","text":"b"}`, "{\"text\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var r Request
		err := JSON.Decode(p, &r)
		var members map[string]json.RawMessage
		if jsonErr := json.Unmarshal(p, &members); jsonErr != nil || members == nil {
			if err == nil {
				t.Fatalf("%q was taken, encoding/json says %v", p, jsonErr)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q was refused: %v", p, err)
		}
		if !utf8.Valid(p) {
			if !r.Fault.Malformed {
				t.Fatalf("%q is not UTF-8", p)
			}
			return
		}
		if r.Fault.Err() {
			return
		}
		if raw, ok := members["text"]; ok && string(raw) != "null" {
			var s string
			if json.Unmarshal(raw, &s) != nil || s != r.Text {
				t.Fatalf("%q: text is %q, want %q", p, r.Text, s)
			}
		}
		if raw, ok := members["n"]; ok && string(raw) != "null" {
			n, ok := new(big.Int).SetString(string(raw), 10)
			if !ok || n.String() != new(big.Int).SetUint64(r.N).String() {
				t.Fatalf("%q: n is %d", p, r.N)
			}
		}
		var again Request
		if err := JSON.Decode(AppendRequest(nil, &r), &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("%q does not come back: %s", p, diff)
		}
	})
}
