package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/VictoriaMetrics/metrics"
)

// Admin answers the admin listener: /metrics, /debug/pprof/, /debug/check and
// /debug/memory; gateway/console adds the cluster. It asks for no token and is not for the public.
func (g *Gateway) Admin() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/metrics", g.serveMetrics)
	m.HandleFunc("/debug/check", g.serveCheck)
	m.HandleFunc("/debug/memory", serveMemory)
	m.HandleFunc("/debug/pprof/", pprof.Index)
	m.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	m.HandleFunc("/debug/pprof/profile", pprof.Profile)
	m.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("/debug/pprof/trace", pprof.Trace)
	m.HandleFunc("/healthz", serveHealthz)
	m.HandleFunc("/readyz", g.serveReadyz)
	m.HandleFunc("/", serveMissing)
	return m
}

func (g *Gateway) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	g.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

// serveCheck runs the invariants of everything on this node.
func (g *Gateway) serveCheck(w http.ResponseWriter, r *http.Request) {
	if g.check == nil {
		serveMissing(w, r)
		return
	}
	out := map[string]any{"ok": true}
	status := http.StatusOK
	if err := g.check(r.Context()); err != nil {
		out = map[string]any{"ok": false, "error": err.Error()}
		status = http.StatusInternalServerError
	}
	body, _ := json.Marshal(out) // strings and a bool always encode
	writeJSON(w, status, body)
}
