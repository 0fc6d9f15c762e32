package gateway

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/feedgate/feedgate/gateway/socket"
)

// unwatched is the memory of a gateway that has no budget and no figures.
type unwatched struct{}

func (unwatched) Over() bool   { return false }
func (unwatched) Grown() int64 { return 0 }

func (g *Gateway) memoryState() string {
	if g.memory.Over() {
		return "over_budget"
	}
	return "ok"
}

// measureConnections exports what a connection costs. feedgate_connection_bytes
// is by how much live objects and goroutines' stacks have grown since the start,
// for each connection there is: socket, session, the user's entry and view, and
// their parts of all tables. What the process keeps for other reasons (recent
// events, caches) is in it too, so it says something from some thousands of
// connections on. Beside it stand the parts whose size is known: the structs of
// one session and one socket, and of all views, feedgate_view_bytes.
func (g *Gateway) measureConnections() {
	g.set.NewGauge("feedgate_connection_bytes", func() float64 {
		return perConnection(g.memory.Grown(), g.Sockets())
	})
	g.set.NewGauge(`feedgate_connection_struct_bytes{part="session"}`, func() float64 { return float64(unsafe.Sizeof(session{})) })
	g.set.NewGauge(`feedgate_connection_struct_bytes{part="socket"}`, func() float64 { return float64(socket.Size) })
}

func perConnection(grown int64, connections int) float64 {
	if connections == 0 {
		return 0
	}
	return max(0, float64(grown)/float64(connections))
}

// memoryUse is what the process holds once everything that is free has gone back
// to the system, in bytes.
type memoryUse struct {
	HeapAlloc  uint64 `json:"heap_alloc"`  // of live objects
	HeapInuse  uint64 `json:"heap_inuse"`  // of the spans that they stand in
	StackInuse uint64 `json:"stack_inuse"` // of goroutines
	Sys        uint64 `json:"sys"`         // of the system, what went back not counted
	Goroutines int    `json:"goroutines"`
}

// serveMemory collects twice (what pools keep goes only then), returns what is
// free to the system, and tells what is left. It holds the process up for that
// long: it is for whoever measures.
func serveMemory(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	debug.FreeOSMemory() // the second collection is part of it
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	body, _ := json.Marshal(memoryUse{ // numbers always encode
		HeapAlloc: m.HeapAlloc, HeapInuse: m.HeapInuse, StackInuse: m.StackInuse,
		Sys: m.Sys - m.HeapReleased, Goroutines: runtime.NumGoroutine(),
	})
	writeJSON(w, http.StatusOK, body)
}
