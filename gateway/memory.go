package gateway

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/debug"
)

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
