package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// healthWait bounds what /readyz waits for: a part that does not answer is not well.
const healthWait = 2 * time.Second

// phase is where a node stands; /readyz is good only while serving.
type phase int32

const (
	starting phase = iota
	serving
	draining
)

func (p phase) String() string {
	switch p {
	case starting:
		return "starting"
	case serving:
		return "ready"
	}
	return "draining"
}

func serveHealthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

// serveReadyz says whether new clients should come here. Storage, bus and memory
// are told and do not decide: with either away sockets stay and are worth having,
// and a node that is full for the moment refuses new ones by itself.
func (g *Gateway) serveReadyz(w http.ResponseWriter, r *http.Request) {
	now := phase(g.phase.Load())
	status := http.StatusOK
	if now != serving {
		status = http.StatusServiceUnavailable
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthWait)
	defer cancel()
	body, _ := json.Marshal(map[string]string{ // strings always encode
		"status":  now.String(),
		"storage": g.stateOf("storage", g.health.Storage(ctx)),
		"bus":     g.stateOf("bus", g.health.Bus(ctx)),
		"memory":  g.memoryState(),
	})
	writeJSON(w, status, body)
}

func (g *Gateway) stateOf(what string, err error) string {
	if err == nil {
		return "ok"
	}
	g.log.Warn("not well", "part", what, "err", err)
	return "unavailable"
}

// serveDevToken hands a token to anybody who asks: dev mode only.
func (g *Gateway) serveDevToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User string `json:"user"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
	if err != nil || json.Unmarshal(body, &in) != nil || !feedengine.ValidUser(in.User) {
		writeError(w, badRequest(`want {"user":"<id>"}: `+badUser))
		return
	}
	token, err := g.devToken(in.User)
	if err != nil {
		g.log.Error("no dev token", "user", in.User, "err", err)
		writeError(w, feedengine.Refuse(feedengine.Internal, "no token could be made"))
		return
	}
	out, _ := json.Marshal(map[string]string{"token": token})
	writeJSON(w, http.StatusOK, out)
}
