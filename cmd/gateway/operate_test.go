package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// feedctl is the operators' program.
type feedctl struct {
	t      *testing.T
	binary string
}

func newFeedctl(t *testing.T) *feedctl {
	t.Helper()
	f := &feedctl{t, filepath.Join(t.TempDir(), "feedctl")}
	if out, err := exec.Command("go", "build", "-o", f.binary, "../feedctl").CombinedOutput(); err != nil {
		t.Fatalf("build feedctl: %v\n%s", err, out)
	}
	return f
}

// run asks by a node and says what was printed, and the exit code.
func (f *feedctl) run(n *child, args ...string) (printed string, code int) {
	f.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(f.binary, append([]string{"--admin", n.admin}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// says runs and wants a code, and all of the words in what is printed.
func (f *feedctl) says(n *child, code int, args []string, words ...string) string {
	f.t.Helper()
	printed, got := f.run(n, args...)
	for _, w := range words {
		if !strings.Contains(printed, w) {
			f.t.Errorf("feedctl %v does not say %q:\n%s", args, w, printed)
		}
	}
	if got != code {
		f.t.Errorf("feedctl %v ended with %d, want %d:\n%s", args, got, code, printed)
	}
	return printed
}

type words = []string

// TestOperators has an operator look at a cluster of three nodes, move a shard,
// ask where a post stays, and drain a node, all by one of the others.
func TestOperators(t *testing.T) {
	t.Parallel()
	f, ctl := newFleet(t), newFeedctl(t)
	a, b := f.node("a"), f.node("b")
	gate := f.node("gate", "gateway")
	f.shards(a, b)
	alice, bob := connect(t, &a.node, "alice", nil), connect(t, &gate.node, "bob", nil)
	bob.follow("alice")
	post := alice.publish("where are you")
	bob.event()

	t.Log("\n" + ctl.says(gate, 0, words{"nodes"}, "a ", "gateway,shard", "gate ", "serving", "NODE"))
	t.Log("\n" + ctl.says(b, 0, words{"shards", "--summary"}, "OWNER", "a ", "b "))
	table := ctl.says(b, 0, words{"shards"}, "RESIDENTS")
	if n := strings.Count(table, "\n"); n != 33 {
		t.Errorf("%d lines of 32 shards:\n%s", n, table)
	}
	var state struct {
		Shards []struct {
			Shard int
			Owner string
		}
	}
	if err := json.Unmarshal([]byte(ctl.says(a, 0, words{"shards", "--json"})), &state); err != nil || len(state.Shards) != 32 {
		t.Fatalf("--json: %v, %+v", err, state)
	}

	shard, to := state.Shards[5], "a"
	if shard.Owner == "a" {
		to = "b"
	}
	ctl.says(gate, 0, words{"move", "5", to}, "shard 5 is served by "+to)
	eventually(t, "the shard has moved", func() bool {
		printed, _ := ctl.run(gate, "shards", "--owner", to)
		return strings.Contains(printed, "\n    5  "+to)
	})
	ctl.says(gate, 1, words{"move", "5", "nobody"}, "nobody")
	ctl.says(gate, 1, words{"move", "5", "gate"}, "gate")
	ctl.says(gate, 1, words{"move", "999", to}, "no such shard")
	ctl.says(gate, 2, words{"move", "x", to}, "int")

	t.Log("\n" + ctl.says(b, 0, words{"explain", "bob", post}, "committed", "announced", "applied", "in_stream", "forwarded", "sent", "acknowledged", "Nothing is missing"))
	t.Log("\n" + ctl.says(b, 3, words{"explain", "carol", post}, "First missing step: in_stream", "not in memory"))
	ctl.says(b, 3, words{"explain", "bob", "12345"}, "First missing step: committed", "no such post")
	ctl.says(b, 2, words{"explain", "bob", "xyz"}, "not an id")
	carol := connect(t, &b.node, "carol", nil)
	ctl.says(a, 3, words{"explain", "carol", post}, "does not follow")
	t.Log("\n" + ctl.says(gate, 0, words{"check"}, "a ", "b ", "gate ", "AUDITED"))

	b2 := openBrowser(t)
	page := b2.console(gate.admin)
	page.sees("three nodes", `document.querySelectorAll("#nodes tbody tr").length === 3`)
	page.sees("all shards", `document.querySelectorAll("#shards i").length === 32 && !document.querySelector("#shards .homeless")`)
	page.sees("the sockets", `document.querySelector("#connections b").textContent === "3"`)
	for i := range 40 {
		alice.publish(fmt.Sprintf("post %d", i))
	}
	page.sees("deliveries", `document.querySelectorAll("#deliveries polyline").length === 1 && document.querySelector("#deliveries text").textContent !== "1"`)
	page.sees("latencies", `/ms/.test(document.querySelector("#latency b").textContent)`)
	b2.screenshot(page, "cluster")

	ctl.says(gate, 1, words{"drain", "nobody"}, "nobody")
	t.Log("\n" + ctl.says(gate, 0, words{"drain", "b"}, "b is gone"))
	if err := b.wait(); err != nil {
		t.Errorf("the drained node ended with %v", err)
	}
	if _, code := carol.closed(); code != 4200 {
		t.Errorf("carol's socket closed with %d", code)
	}
	page.sees("one shard node less", `document.querySelectorAll("#owners li").length === 1 && document.querySelector("#owners").textContent.includes("a 32")`)
	page.phone("dark")
	page.sees("no more than the screen is wide", `document.documentElement.scrollWidth <= 390`)
	b2.screenshot(page, "cluster-phone-dark")
	page.phone("light")
	b2.screenshot(page, "cluster-phone-light")

	a.kill()
	page.sees("that nobody serves", `/served by nobody/.test(document.querySelector("#alerts").textContent)`)
	page.sees("that a node has died", `/a has died/.test(document.querySelector("#alerts").textContent)`)
	b2.screenshot(page, "cluster-dead")
	ctl.says(gate, 0, words{"nodes"}, "dead for")
	gate.kill()
	page.sees("that the node is gone", `document.querySelector("#state").dataset.state === "lost"`)
	ctl.says(gate, 1, words{"nodes"}, "nobody answers")
}

// console opens the admin listener's page.
func (b *browser) console(addr string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tab := &tab{b.t, ctx, "the operator"}
	console := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tab.listen(console)
	}()
	b.t.Cleanup(func() {
		cancel()
		<-done
	})
	tab.run(chromedp.Navigate("http://" + addr + "/"))
	tab.sees("that it is live", `document.querySelector("#state").dataset.state === "live"`)
	return tab
}

// TestOperatorsOfOneNode: a node alone has the page, and answers what it can.
func TestOperatorsOfOneNode(t *testing.T) {
	t.Parallel()
	ctl := newFeedctl(t)
	n := spawn(t, sqliteEnv(t).with(env{"FEEDGATE_NODE_ID": "solo"}))
	bob := connect(t, &n.node, "bob", nil)
	bob.follow("alice")
	post := connect(t, &n.node, "alice", nil).publish("hello")
	bob.event()
	ctl.says(n, 0, words{"nodes"}, "solo", "serving")
	ctl.says(n, 0, words{"check"}, "solo")
	ctl.says(n, 0, words{"explain", "bob", post}, "acknowledged", "Nothing is missing")
	ctl.says(n, 1, words{"drain", "solo"}, "alone")
	ctl.says(n, 1, words{"move", "1", "solo"}, "alone")
	resp, err := http.Get("http://" + n.admin + "/cluster/live")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/cluster/live: %v, %v", resp, err)
	}
	n.hangUpAndStop()
}
