package gateway

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// statusOf is the HTTP status that fits an error code.
func statusOf(c feedengine.Code) int {
	switch c {
	case feedengine.BadRequest:
		return http.StatusBadRequest
	case feedengine.Unauthorized:
		return http.StatusUnauthorized
	case feedengine.Forbidden:
		return http.StatusForbidden
	case feedengine.NotFound:
		return http.StatusNotFound
	case feedengine.Conflict:
		return http.StatusConflict
	case feedengine.TooLarge:
		return http.StatusRequestEntityTooLarge
	case feedengine.RateLimited:
		return http.StatusTooManyRequests
	case feedengine.Overloaded, feedengine.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func codeOf(err *feedengine.Error) feedengine.Code {
	if err == nil {
		return ""
	}
	return err.Code
}

func writeError(w http.ResponseWriter, err *feedengine.Error) {
	writeErrorStatus(w, statusOf(err.Code), err)
}

// writeErrorStatus answers {"error":{…}}.
func writeErrorStatus(w http.ResponseWriter, status int, err *feedengine.Error) {
	if err.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(err.Retry.Seconds()))))
	}
	if err.Code == feedengine.Unauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body := wireError(err).AppendJSON([]byte(`{"error":`))
	writeJSON(w, status, append(body, '}'))
}

func writeObject(w http.ResponseWriter, status int, o wire.Object) {
	writeJSON(w, status, o.AppendJSON(nil))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is told nothing
}

func serveMissing(w http.ResponseWriter, _ *http.Request) {
	writeError(w, feedengine.Refuse(feedengine.NotFound, "there is no such route"))
}

// byMethod serves one path, and refuses methods that it does not have with an
// error object, which http.ServeMux would not give.
func byMethod(methods map[string]http.Handler) http.Handler {
	names := slices.Sorted(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
	allow := strings.Join(names, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := methods[method]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		writeErrorStatus(w, http.StatusMethodNotAllowed, badRequest("this route has no such method; it has "+allow))
	})
}
