package gateway

import (
	"net/http"
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

// paging takes before and limit.
func paging(r *http.Request, f *wire.Request) *feedengine.Error {
	q := r.URL.Query()
	if q.Has("before") {
		f.Before, f.Has = q.Get("before"), f.Has|wire.HasBefore
	}
	if q.Has("limit") {
		n, err := strconv.ParseUint(q.Get("limit"), 10, 32)
		if err != nil {
			return badRequest(`"limit" must be an integer from 1 to 100`)
		}
		f.Limit, f.Has = n, f.Has|wire.HasLimit
	}
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
