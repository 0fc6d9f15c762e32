package gateway

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func badRequest(message string) *feedengine.Error {
	return feedengine.Refuse(feedengine.BadRequest, message)
}

func limited(wait time.Duration) *feedengine.Error {
	return &feedengine.Error{Code: feedengine.RateLimited, Message: "too many requests of one user", Retry: wait}
}

// checkText trims a text and judges what is left.
func checkText(text string) (string, *feedengine.Error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", badRequest(`"text" must not be empty`)
	case len(text) > wire.MaxText:
		return "", feedengine.Refuse(feedengine.TooLarge, fmt.Sprintf(`"text" must have at most %d bytes`, wire.MaxText))
	case hasBadBytes(text):
		return "", badRequest(`"text" must be UTF-8 without U+0000`)
	}
	return text, nil
}

// hasBadBytes finds what a database would not store.
func hasBadBytes(s string) bool { return strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) }

func checkKey(r *wire.Request) *feedengine.Error {
	if r.Has&wire.HasKey == 0 {
		return nil
	}
	if len(r.Key) == 0 || len(r.Key) > wire.MaxKey || hasBadBytes(r.Key) {
		return badRequest("an idempotency key is 1 to 64 bytes of UTF-8 without U+0000")
	}
	return nil
}

func checkID(field, s string) (feedengine.ID, *feedengine.Error) {
	id, err := feedengine.ParseID(s)
	if err != nil {
		return 0, badRequest(`"` + field + `" must be an id: a decimal string`)
	}
	return id, nil
}

// checkLimit is the size of a page.
func checkLimit(r *wire.Request) (int, *feedengine.Error) {
	if r.Has&wire.HasLimit == 0 {
		return defaultPage, nil
	}
	if r.Limit < 1 || r.Limit > wire.MaxPage {
		return 0, badRequest(`"limit" must be an integer from 1 to 100`)
	}
	return int(r.Limit), nil
}
