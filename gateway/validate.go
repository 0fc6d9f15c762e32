package gateway

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Limits of what clients send, in bytes; those that decoding needs stand in wire.
const (
	maxURL       = 2048
	maxMediaType = 100
	maxTitle     = 200
	maxName      = 100 // of a category, a location, a saved search
	maxSearch    = 1000
	maxCursor    = 256 // of a "next" that only a store can read
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

// badUser says what a user id is.
const badUser = "a user id is 1 to 64 bytes of A-Z a-z 0-9 . _ : @ -"

func checkUser(user string) *feedengine.Error {
	if !feedengine.ValidUser(user) {
		return badRequest(badUser)
	}
	return nil
}

// checkShort trims what stands in one line and judges what is left.
func checkShort(field, s string, least, most int) (string, *feedengine.Error) {
	s = strings.TrimSpace(s)
	if len(s) < least || len(s) > most || hasBadBytes(s) {
		return "", badRequest(fmt.Sprintf(`"%s" must have %d to %d bytes of UTF-8 without U+0000`, field, least, most))
	}
	return s, nil
}

// checkVisibility reports whether only followers are to see a post.
func checkVisibility(r *wire.Request) (followers bool, err *feedengine.Error) {
	switch {
	case r.Has&wire.HasVisibility == 0, r.Visibility == "public":
		return false, nil
	case r.Visibility == "followers":
		return true, nil
	}
	return false, badRequest(`"visibility" must be "public" or "followers"`)
}

// checkMedia judges what a post or a message refers to; of how many there may be,
// the decoder has seen to.
func checkMedia(r *wire.Request) ([]feedengine.Media, *feedengine.Error) {
	list := make([]feedengine.Media, 0, len(r.Media))
	for _, m := range r.Media {
		if !validURL(m.URL) {
			return nil, badRequest(`media: "url" must be an http or https URL of at most 2048 bytes`)
		}
		if len(m.Type) > maxMediaType || strings.ContainsFunc(m.Type, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, badRequest(`media: "type" must be a media type of at most 100 bytes`)
		}
		list = append(list, feedengine.Media(m))
	}
	return list, nil
}

// validURL reports whether a client may be told to fetch s.
func validURL(s string) bool {
	if len(s) > maxURL || hasBadBytes(s) {
		return false
	}
	u, err := url.Parse(s) // refuses control characters
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// checkJob judges an opening, nil when there is none.
func checkJob(r *wire.Request) (*feedengine.Job, *feedengine.Error) {
	if r.Job == nil {
		return nil, nil
	}
	job := feedengine.Job(*r.Job)
	var err *feedengine.Error
	if job.Title, err = checkShort("title", job.Title, 1, maxTitle); err != nil {
		return nil, err
	}
	if job.Category, err = checkShort("category", job.Category, 0, maxName); err != nil {
		return nil, err
	}
	if job.Location, err = checkShort("location", job.Location, 0, maxName); err != nil {
		return nil, err
	}
	if err := checkPay(uint64(job.SalaryMin), uint64(job.SalaryMax), job.Currency); err != nil {
		return nil, err
	}
	return &job, nil
}

// checkQuery judges what jobs are looked for by.
func checkQuery(q *wire.Query) (feedengine.JobQuery, *feedengine.Error) {
	out := feedengine.JobQuery{SalaryMin: int64(q.SalaryMin), SalaryMax: int64(q.SalaryMax), Currency: q.Currency}
	out.Text = strings.TrimSpace(q.Q)
	var err *feedengine.Error
	switch {
	case len(out.Text) > maxSearch:
		return out, feedengine.Refuse(feedengine.TooLarge, fmt.Sprintf(`"q" must have at most %d bytes`, maxSearch))
	case hasBadBytes(out.Text):
		return out, badRequest(`"q" must be UTF-8 without U+0000`)
	}
	if out.Category, err = checkShort("category", q.Category, 0, maxName); err != nil {
		return out, err
	}
	if out.Location, err = checkShort("location", q.Location, 0, maxName); err != nil {
		return out, err
	}
	return out, checkPay(q.SalaryMin, q.SalaryMax, q.Currency)
}

// checkPay judges a range of salaries, 0 for none, and their currency.
func checkPay(least, most uint64, currency string) *feedengine.Error {
	if most != 0 && least > most {
		return badRequest(`"salary_min" must not be above "salary_max"`)
	}
	if currency != "" && (len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return badRequest(`"currency" must be three capital letters`)
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

// checkPage is where a page of things with ids begins, and its size.
func checkPage(r *wire.Request) (before feedengine.ID, limit int, err *feedengine.Error) {
	if r.Has&wire.HasBefore != 0 {
		if before, err = checkID("before", r.Before); err != nil {
			return 0, 0, err
		}
	}
	limit, err = checkLimit(r)
	return before, limit, err
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
