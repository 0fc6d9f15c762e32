package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	defaultWait = 3 * time.Second
	moveWait    = 5 // times Wait: a move that cannot be carried out takes its time to say so
	maxBody     = 4096
)

// console is a Cluster being served.
type console struct {
	Cluster
	history history
}

// Handler serves the console's paths, given in doc.go; every other path is next's.
func Handler(c Cluster, next http.Handler) http.Handler {
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	s := &console{Cluster: c, history: history{state: c.State}}
	m := http.NewServeMux()
	m.HandleFunc("GET /cluster", s.cluster)
	m.HandleFunc("GET /cluster/live", s.live)
	m.HandleFunc("GET /cluster/check", s.check)
	m.HandleFunc("GET /cluster/explain", s.explain)
	m.HandleFunc("POST /cluster/drain", s.drain)
	m.HandleFunc("POST /cluster/move", s.move)
	pages(m)
	m.Handle("/", next)
	// A page of another origin may not wish for anything.
	return http.NewCrossOriginProtection().Handler(m)
}

func (s *console) cluster(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.Wait)
	defer cancel()
	answer(w, http.StatusOK, s.State(ctx))
}

// live answers ?since=<Unix ms>, so that a page that stays open is sent only what is new.
func (s *console) live(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64) // none: all
	ctx, cancel := context.WithTimeout(r.Context(), s.Wait/2)        // somebody waits to see what is wrong
	defer cancel()
	state, samples := s.history.look(ctx, time.UnixMilli(since))
	answer(w, http.StatusOK, map[string]any{"cluster": state, "samples": samples, "now": time.Now().UTC()})
}

func (s *console) check(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), moveWait*s.Wait)
	defer cancel()
	out := struct {
		OK    bool      `json:"ok"`
		Error string    `json:"error,omitempty"`
		Nodes []Checked `json:"nodes"`
	}{true, "", s.Check(ctx)}
	status := http.StatusOK
	for _, n := range out.Nodes {
		if !n.OK {
			out.OK, status = false, http.StatusInternalServerError
			if out.Error != "" {
				out.Error += "\n"
			}
			out.Error += n.Node + ": " + n.Error
		}
	}
	answer(w, status, out)
}

func (s *console) drain(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Node string `json:"node"`
	}
	if !s.takes(w, r, s.Drain != nil, &in) {
		return
	}
	if in.Node == "" {
		refuse(w, http.StatusBadRequest, `want {"node":"<name>"}`)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Wait)
	defer cancel()
	done(w, s.Drain(ctx, in.Node))
}

func (s *console) move(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Shard *int   `json:"shard"`
		Node  string `json:"node"`
	}
	if !s.takes(w, r, s.Move != nil, &in) {
		return
	}
	if in.Shard == nil || *in.Shard < 0 || *in.Shard >= feedengine.MaxShards || in.Node == "" {
		refuse(w, http.StatusBadRequest, `want {"shard":<number>,"node":"<name>"}`)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), moveWait*s.Wait)
	defer cancel()
	done(w, s.Move(ctx, feedengine.ShardID(*in.Shard), in.Node))
}

func (s *console) explain(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	post, err := feedengine.ParseID(r.URL.Query().Get("post"))
	switch {
	case s.Trails == nil:
		refuse(w, http.StatusNotFound, "this node cannot explain anything")
		return
	case err != nil || !feedengine.ValidUser(user):
		refuse(w, http.StatusBadRequest, "want ?user=<id>&post=<decimal id>")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Wait)
	defer cancel()
	p, err := s.Post(ctx, post)
	if err != nil && !errors.Is(err, feedengine.ErrNotFound) {
		refuse(w, http.StatusServiceUnavailable, "storage cannot be asked: "+err.Error())
		return
	}
	answer(w, http.StatusOK, explain(user, post, p, s.Trails(ctx, user, post)))
}

// takes reads a wish; false: it has been refused.
func (s *console) takes(w http.ResponseWriter, r *http.Request, can bool, in any) bool {
	if !can {
		refuse(w, http.StatusNotFound, "this node is alone: there is no cluster to ask that of")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || json.Unmarshal(body, in) != nil {
		refuse(w, http.StatusBadRequest, "want a JSON object")
		return false
	}
	return true
}

// done answers a wish that was carried out, or not.
func done(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusOK, struct{}{})
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, what any) {
	body, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who asked has gone: nobody to tell
}
