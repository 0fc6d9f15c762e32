package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// halfMessage sends most of a frame that never ends: the node holds what has come
// of it, for the time that a message may take.
func (n *node) halfMessage(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: feedgate.v1.json\r\n\r\n")
	c.Write(append([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, make([]byte, 60_000)...))
	return c
}

// TestMemoryBudget: a node that holds too much refuses who comes, says so, serves
// those who are there, and takes clients again when it holds less.
func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	e := sqliteEnv(t)
	idle := spawn(t, e)
	idle.adminGet("/debug/memory") // collects
	eventually(t, "a sample after the collection", func() bool { return idle.metric("feedgate_memory_needed_bytes") > 0 })
	needed := idle.metric("feedgate_memory_needed_bytes")
	if err := idle.stop(); err != nil {
		t.Fatal(err)
	}

	// A fifth is left for garbage; then there is room for some 10 MB, or 160 of
	// what follows.
	budget := int64((needed + 10e6) / 0.8)
	n := spawn(t, e.with(env{"FEEDGATE_MEMORY_BUDGET": strconv.FormatInt(budget, 10)}))
	if !n.logs.has("from=FEEDGATE_MEMORY_BUDGET") {
		t.Error("the runtime's limit is not logged")
	}
	here := connect(t, &n.node, "ann", nil)
	var greedy []net.Conn
	refused := func() bool { return n.metric("feedgate_memory_over_budget") == 1 }
	eventually(t, "the node is over its budget", func() bool {
		for range 20 {
			if len(greedy) < 1000 {
				greedy = append(greedy, n.halfMessage(t))
			}
		}
		return refused()
	})
	a := n.http("GET", "/v1/ws", "", nil)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != 503 || err != nil || after < 5 {
		t.Errorf("a handshake: %+v", a)
	}
	if a := n.http("GET", "/readyz", "", nil); a.status != 200 || a.body["memory"] != "over_budget" {
		t.Errorf("/readyz: %+v", a)
	}
	if n.metric("feedgate_admission_refused_total") == 0 {
		t.Error("the refusal is not counted")
	}
	here.must("ping", nil)

	for _, c := range greedy {
		c.Close()
	}
	eventually(t, "the node is within its budget again", func() bool { return !refused() })
	connect(t, &n.node, "bob", nil)
	here.must("ping", nil)
	if !strings.Contains(n.logs.String(), "within the memory budget again") {
		t.Error("the end is not logged")
	}
	t.Logf("needed %.0f, budget %d, %d half messages", needed, budget, len(greedy))
}
