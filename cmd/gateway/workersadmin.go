package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"
)

// askWait bounds a question of the parent to a worker.
const askWait = 5 * time.Second

// workersAdmin is the admin listener of workers, in their parent:
//
//	/healthz       the parent is there
//	/readyz        all workers are ready, but for those that an operator has drained
//	/metrics       of all workers, each series with a label worker
//	/debug/check   of all workers
//	/debug/…       of the worker that ?worker= names
//	anything else  likewise, and without ?worker= of one that is ready
type workersAdmin struct {
	listener net.Listener
	server   *http.Server
	failed   chan error // 1: serving ends once
}

// listen opens the admin listener, and makes the places that it speaks for.
func (ws *workers) listen(ctx context.Context) (*workersAdmin, error) {
	for range ws.cfg.Workers {
		ws.all = append(ws.all, &staff{ws: ws})
	}
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(ctx, "tcp", ws.cfg.AdminAddr)
	if err != nil {
		return nil, fmt.Errorf("FEEDGATE_ADMIN_ADDR: %w", err)
	}
	a := &workersAdmin{listener: l, failed: make(chan error, 1), server: &http.Server{
		Handler: ws.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 90 * time.Second,
		ErrorLog: slog.NewLogLogger(ws.log.Handler(), slog.LevelDebug),
	}}
	go func() { // ends with close
		if err := notClosed(a.server.Serve(l)); err != nil {
			a.failed <- err
		}
	}()
	return a, nil
}

func (a *workersAdmin) close() { a.server.Close() }

func (ws *workers) handler() http.Handler {
	proxies := make([]http.Handler, len(ws.all))
	for i := range ws.all {
		proxies[i] = ws.proxy(i)
	}
	m := http.NewServeMux()
	m.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { tell(w, http.StatusOK, map[string]any{"status": "ok"}) })
	m.HandleFunc("/readyz", ws.serveReadyz)
	m.HandleFunc("/metrics", ws.serveMetrics)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		which := r.URL.Query().Get("worker")
		i, err := strconv.Atoi(which)
		switch {
		case which == "" && r.URL.Path == "/debug/check":
			ws.serveCheck(w, r)
			return
		case which == "" && strings.HasPrefix(r.URL.Path, "/debug/"):
			refuse(w, http.StatusBadRequest, "add ?worker=N: each worker has its own")
			return
		case which == "":
			i = ws.anyReady(r.Context())
		case err != nil || i < 0 || i >= len(proxies):
			refuse(w, http.StatusNotFound, fmt.Sprintf("there are workers 0 to %d", len(proxies)-1))
			return
		}
		proxies[i].ServeHTTP(w, r)
	})
	return m
}

// transport reaches a worker by its socket.
func (ws *workers) transport(i int) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", ws.socket(i))
		},
		DisableKeepAlives: true, // the worker may be another by then
	}
}

func (ws *workers) proxy(i int) http.Handler {
	return &httputil.ReverseProxy{
		Transport:     ws.transport(i),
		FlushInterval: -1, // what a page waits for comes at once
		ErrorLog:      slog.NewLogLogger(ws.log.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "worker"
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, http.StatusBadGateway, fmt.Sprintf("worker %d does not answer: %v", i, err))
		},
	}
}

// said is what a worker answered; status 0: nothing.
type said struct {
	status int
	body   []byte
}

// ask asks all workers at once.
func (ws *workers) ask(ctx context.Context, path string) []said {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	answers := make([]said, len(ws.all))
	var wg sync.WaitGroup
	for i := range ws.all {
		wg.Go(func() { answers[i] = ws.askOne(ctx, i, path) })
	}
	wg.Wait()
	return answers
}

func (ws *workers) askOne(ctx context.Context, i int, path string) said {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker"+path, nil)
	if err != nil {
		return said{}
	}
	resp, err := ws.transport(i).RoundTrip(req)
	if err != nil {
		return said{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return said{}
	}
	return said{resp.StatusCode, body}
}

// awaitReady waits until all workers have been ready, and says whether they were
// before ctx ended.
func (ws *workers) awaitReady(ctx context.Context) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		all := true
		for i, a := range ws.ask(ctx, "/readyz") {
			if a.status == http.StatusOK {
				ws.all[i].ready.Store(true)
			}
			all = all && a.status == http.StatusOK
		}
		if all {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// anyReady is a worker that is ready, else the first.
func (ws *workers) anyReady(ctx context.Context) int {
	for i, a := range ws.ask(ctx, "/readyz") {
		if a.status == http.StatusOK {
			return i
		}
	}
	return 0
}

func (ws *workers) serveReadyz(w http.ResponseWriter, r *http.Request) {
	status, word := http.StatusOK, "ready"
	each := map[string]any{}
	for i, a := range ws.ask(r.Context(), "/readyz") {
		if ws.all[i].drained.Load() {
			each[strconv.Itoa(i)] = map[string]any{"status": "drained"}
			continue
		}
		if a.status != http.StatusOK {
			status, word = http.StatusServiceUnavailable, "not all workers are ready"
		}
		each[strconv.Itoa(i)] = quoted(a)
	}
	if ws.isStopping() {
		status, word = http.StatusServiceUnavailable, "draining"
	}
	tell(w, status, map[string]any{"status": word, "workers": each})
}

func (ws *workers) serveCheck(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	each := map[string]any{}
	for i, a := range ws.ask(r.Context(), "/debug/check") {
		if ws.all[i].drained.Load() {
			continue
		}
		if a.status != http.StatusOK {
			status = http.StatusInternalServerError
		}
		each[strconv.Itoa(i)] = quoted(a)
	}
	tell(w, status, map[string]any{"ok": status == http.StatusOK, "workers": each})
}

// quoted is an answer as part of another.
func quoted(a said) any {
	if a.status == 0 || !json.Valid(a.body) {
		return map[string]any{"status": "no answer"}
	}
	return json.RawMessage(a.body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	tell(w, status, map[string]any{"error": map[string]any{"message": message}})
}

func tell(w http.ResponseWriter, status int, v map[string]any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
