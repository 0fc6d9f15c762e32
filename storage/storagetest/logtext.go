package storagetest

import (
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// testText stores texts and users at the edges of what protocol.md allows.
func testText(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 0)
	texts := []string{
		"a", strings.Repeat("x", 8000), strings.Repeat("😀", 2000), strings.Repeat("\U0010FFFF", 2000),
		`quotes " ' ` + "`" + ` \ $1 %s {} []`, `\u0000 \x00 \n as letters`, "line\nbreak\ttab\r\n\x01\x1f\x7f",
		"\u2028\u2029\ufeff\ufffd", "<script>&amp;</script>", "e\u0301 and é", "\u202eabc\u202c", "'; DROP TABLE posts; --",
		`{"text":"json"}`, "null",
	}
	users := []string{"a", "A", "0", ".", "_", "a.b_c:d@e-F", strings.Repeat("u", feedengine.MaxUserBytes)}
	posts := map[feedengine.ID]string{}
	for i, text := range texts {
		posts[w.post(users[i%len(users)], text).ID] = text
	}
	w.commit(t)

	for _, e := range w.written(t) {
		if e.Post.Text != posts[e.ID] {
			t.Errorf("log: %.40q came back as %.40q", posts[e.ID], e.Post.Text)
		}
	}
	for id, text := range posts {
		p, err := s.Post(t.Context(), id)
		if err != nil || p.Text != text {
			t.Errorf("post: %.40q came back as %+v, %v", text, p, err)
		}
	}
	for _, u := range users {
		page, err := s.Feed(t.Context(), u, 0, 100)
		if err != nil || len(page.Posts) == 0 {
			t.Errorf("feed of %q: %+v, %v", u, page, err)
			continue
		}
		for _, p := range page.Posts {
			if p.Author != u || p.Text != posts[p.ID] {
				t.Errorf("feed of %q: post of %q: %.40q", u, p.Author, p.Text)
			}
		}
	}
}
