package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// maxBulkBody holds 1,000 of the longest user ids as JSON.
const maxBulkBody = 128 << 10

// The fields functions of routes: what path, query and headers say.

func pathPost(r *http.Request, f *wire.Request) *feedengine.Error {
	f.Post, f.Has = r.PathValue("post"), f.Has|wire.HasPost
	return nil
}

func pathUser(r *http.Request, f *wire.Request) *feedengine.Error {
	f.User, f.Has = r.PathValue("user"), f.Has|wire.HasUser
	return nil
}

func pathConversation(r *http.Request, f *wire.Request) *feedengine.Error {
	f.Conversation, f.Has = r.PathValue("conversation"), f.Has|wire.HasConversation
	return nil
}

func pathSearch(r *http.Request, f *wire.Request) *feedengine.Error {
	f.Search, f.Has = r.PathValue("search"), f.Has|wire.HasSearch
	return nil
}

// all takes what each of the functions takes.
func all(each ...func(*http.Request, *wire.Request) *feedengine.Error) func(*http.Request, *wire.Request) *feedengine.Error {
	return func(r *http.Request, f *wire.Request) *feedengine.Error {
		for _, take := range each {
			if err := take(r, f); err != nil {
				return err
			}
		}
		return nil
	}
}

// idempotencyKey takes the header; a "key" in the body is its other spelling.
func idempotencyKey(r *http.Request, f *wire.Request) *feedengine.Error {
	switch keys := r.Header.Values("Idempotency-Key"); len(keys) {
	case 0:
		return nil
	case 1:
		f.Key, f.Has = keys[0], f.Has|wire.HasKey
		return nil
	}
	return badRequest("there must be one Idempotency-Key header")
}

// paging takes before, limit and expand.
func paging(r *http.Request, f *wire.Request) *feedengine.Error {
	q := r.URL.Query()
	queryText(q, "before", wire.HasBefore, &f.Before, f)
	if q.Has("limit") {
		n, err := strconv.ParseUint(q.Get("limit"), 10, 32)
		if err != nil {
			return badRequest(`"limit" must be an integer from 1 to 100`)
		}
		f.Limit, f.Has = n, f.Has|wire.HasLimit
	}
	return queryFlag(q, "expand", wire.HasExpand, &f.Expand, f)
}

// jobQuery takes what jobs are looked for by.
func jobQuery(r *http.Request, f *wire.Request) *feedengine.Error {
	q := r.URL.Query()
	queryText(q, "q", wire.HasQ, &f.Find.Q, f)
	queryText(q, "category", wire.HasCategory, &f.Find.Category, f)
	queryText(q, "location", wire.HasLocation, &f.Find.Location, f)
	queryText(q, "currency", wire.HasCurrency, &f.Find.Currency, f)
	if err := queryNumber(q, "salary_min", wire.HasSalaryMin, &f.Find.SalaryMin, f); err != nil {
		return err
	}
	if err := queryNumber(q, "salary_max", wire.HasSalaryMax, &f.Find.SalaryMax, f); err != nil {
		return err
	}
	queryText(q, "closes_by", wire.HasClosesBy, &f.ClosesBy, f)
	return queryFlag(q, "closed", wire.HasClosed, &f.Closed, f)
}

func queryText(q url.Values, name string, has wire.Field, into *string, f *wire.Request) {
	if q.Has(name) {
		*into, f.Has = q.Get(name), f.Has|has
	}
}

func queryNumber(q url.Values, name string, has wire.Field, into *uint64, f *wire.Request) *feedengine.Error {
	if !q.Has(name) {
		return nil
	}
	n, err := strconv.ParseUint(q.Get(name), 10, 64)
	if err != nil || n > wire.MaxInt {
		return badRequest(`"` + name + `" must be an integer from 0 to 2^53`)
	}
	*into, f.Has = n, f.Has|has
	return nil
}

func queryFlag(q url.Values, name string, has wire.Field, into *bool, f *wire.Request) *feedengine.Error {
	switch {
	case !q.Has(name):
		return nil
	case q.Get(name) == "true":
		*into = true
	case q.Get(name) != "false":
		return badRequest(`"` + name + `" must be true or false`)
	}
	f.Has |= has
	return nil
}

// bearerOf is the token of an Authorization header, "" when there is none.
func bearerOf(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
