package postgres

import (
	"errors"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// TestMarshal: what encoding/json would write otherwise than it is is refused, and
// nothing else.
func TestMarshal(t *testing.T) {
	for text, refused := range map[string]bool{
		"": false, `\`: false, `\\`: false, `\u0000`: false, `\\u0000`: false, `\ufffd`: false, "\ufffd": false, "\x01": false, "\u2028": false,
		"\x00": true, "a\x00": true, `\` + "\x00": true, "\xff": true, `\\` + "\xff": true, "\xed\xa0\x80": true, "\"\x00": true,
	} {
		_, err := marshal(map[string]string{"k": text})
		if errors.Is(err, feedengine.ErrRefused) != refused {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestJobCursor: a page's end comes back to the bit.
func TestJobCursor(t *testing.T) {
	for _, c := range []jobCursor{{0, 1}, {0.1, 77}, {1e-20, feedengine.MaxID}, {0.6079271, 120287804671461379}} {
		got, err := readJobCursor(c.String())
		if err != nil || got != c {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
	}
	for _, bad := range []string{"0", ":", "0:", "0:0", "0:-1", "g:1", "100000000:1", "0:1:1", " 0:1", "7fc00000:1"} {
		if got, err := readJobCursor(bad); !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("%q was read as %+v, %v", bad, got, err)
		}
	}
}
