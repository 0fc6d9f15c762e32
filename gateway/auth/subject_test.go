package auth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func tokenOf(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
}

func TestSubject(t *testing.T) {
	for token, want := range map[string]string{
		tokenOf(`{"sub":"alice","exp":99}`):                            "alice",
		tokenOf(`{"exp":99,"iss":"x","sub":"alice"}`):                  "alice",
		tokenOf(`{"sub":"alice","and":[what,follows`):                  "alice", // nobody will verify it
		tokenOf(` { "aud": ["a", "b"], "sub": "al\u0069ce" } `):        "alice",
		tokenOf(`{"sub":"` + strings.Repeat("é", 30) + `"}`):           strings.Repeat("é", 30),
		tokenOf(`{"x":"` + strings.Repeat("y", 2000) + `","sub":"a"}`): "a",
		tokenOf(`{"scope":"service","sub":"backend"}`):                 "backend",
		tokenOf(`{"SUB":"alice"}`):                                     "",
		tokenOf(`{"sub":7}`):                                           "",
		tokenOf(`{"sub":{"sub":"alice"}}`):                             "",
		tokenOf(`{"a":{"sub":"alice"}}`):                               "",
		tokenOf(`{"a":1`):                                              "",
		tokenOf(`{`):                                                   "",
		tokenOf(`"sub"`):                                               "",
		tokenOf(``):                                                    "",
		"":                                                             "",
		"..":                                                           "",
		"a.b":                                                          "",
		"a.!.c":                                                        "",
		tokenOf(`{"sub":"alice"}`) + strings.Repeat("x", maxToken): "",
	} {
		if got := Subject(token); got != want {
			t.Errorf("%.60s: %q, want %q", token, got, want)
		}
	}
	s, err := NewSigner(strings.Repeat("s", 32), "", "")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Mint("bob", false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got := Subject(token); got != "bob" {
		t.Errorf("a token of ours: %q", got)
	}
}

// Whatever comes, a token's subject is what a verifier would find, or nothing.
func FuzzSubject(f *testing.F) {
	f.Add(`{"sub":"alice","exp":99}`)
	f.Add(`{"a":"b","c":1,"sub":"x"}`)
	f.Add(`{"sub":"a","sub":"b"}`)
	f.Add("{\"sub\" : \"\\u00e9\"}")
	f.Fuzz(func(t *testing.T, claims string) {
		Subject(claims)
		user, ok := plainSubject([]byte(claims))
		var p payload
		if p.UnmarshalJSON([]byte(claims)) != nil || !ok {
			return
		}
		if user != p.subject && strings.Count(claims, "sub") == 1 {
			t.Errorf("%q, want %q", user, p.subject)
		}
	})
}
