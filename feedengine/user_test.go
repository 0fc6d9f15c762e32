package feedengine

import (
	"strings"
	"testing"
)

func TestValidUser(t *testing.T) {
	for _, s := range []string{"u", "u42", "Alice.B_c:d@e-f", "0", strings.Repeat("x", 64), "-", "..", "@"} {
		if !ValidUser(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", " ", "a b", "a/b", "a\x00", "é", "a\n", "a,b", "a\"", "[", "`", "{", strings.Repeat("x", 65), "\xff", "a+b", "a;b"} {
		if ValidUser(s) {
			t.Errorf("%q is taken", s)
		}
	}
	for c := range 256 {
		want := strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-", rune(c)) && c < 128
		if got := ValidUser(string([]byte{byte(c)})); got != want {
			t.Errorf("byte %d: %v", c, got)
		}
	}
}
