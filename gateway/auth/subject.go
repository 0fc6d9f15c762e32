package auth

import (
	"encoding/json"
	"strings"
)

// Subject is the user whom a token names, and that is all: nothing says that the token
// is good, or was ever issued. "" when it names none, or cannot be read.
func Subject(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	segment, _, ok := strings.Cut(rest, ".")
	if !ok || len(token) > maxToken {
		return ""
	}
	w := plains.Get().(*plainWork)
	defer plains.Put(w)
	w.text = append(w.text[:0], segment...)
	claims := w.claims[:]
	if n := strict.DecodedLen(len(segment)); n > len(claims) {
		claims = make([]byte, n)
	}
	n, err := strict.Decode(claims, w.text)
	if err != nil {
		return ""
	}
	if user, ok := plainSubject(claims[:n]); ok {
		return user
	}
	var p payload
	if json.Unmarshal(claims[:n], &p) != nil {
		return ""
	}
	return p.subject
}

// plainSubject reads an object of strings without escapes and of whole numbers up to
// its sub. What else there is, or follows, is not looked at.
func plainSubject(b []byte) (user string, ok bool) {
	for len(b) > 0 && (b[0] == '{' || b[0] == ',') {
		name, value, ok := plainString(b[1:])
		if !ok || len(value) < 2 || value[0] != ':' {
			return "", false
		}
		var text []byte
		if value = value[1:]; value[0] == '"' {
			text, b, ok = plainString(value)
		} else {
			_, b, ok = plainNumber(value)
		}
		switch {
		case !ok:
			return "", false
		case string(name) == "sub":
			return string(text), true
		}
	}
	return "", false
}
