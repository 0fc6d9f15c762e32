package wire

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
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
