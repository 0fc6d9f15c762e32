package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestRoles has one node hold sockets and another own shards. The first is not
// ready before it has the second; the second serves nobody but operators.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	gate := launch(t, f.env.with(env{"FEEDGATE_NODE_ID": "gate", "FEEDGATE_ROLES": "gateway", "FEEDGATE_ADDR": "127.0.0.1:" + freePort(t), "FEEDGATE_ADMIN_ADDR": "127.0.0.1:" + freePort(t)}))
	gate.addr, gate.admin = gate.env["FEEDGATE_ADDR"], gate.env["FEEDGATE_ADMIN_ADDR"]
	eventually(t, "the gateway belongs to the cluster", func() bool {
		status, body := gate.status("/cluster")
		return status == 200 && strings.Contains(body, `"gate"`)
	})
	for _, n := range []string{gate.addr, gate.admin} {
		resp, err := http.Get("http://" + n + "/readyz")
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("/readyz without shards: %v, %v", resp, err)
		}
	}

	owner := f.node("owner", "shard")
	if owner.addr != "none" {
		t.Errorf("a shard node listens at %q", owner.addr)
	}
	eventually(t, "the gateway is ready", func() bool { return gate.logs.has("msg=ready") })
	alice, bob := connect(t, &gate.node, "alice", nil), connect(t, &gate.node, "bob", nil)
	bob.follow("alice")
	post := alice.publish("through the other one")
	if got := bob.event().Event; got.ID != post {
		t.Errorf("bob got %+v", got)
	}
	for name, n := range map[string]*child{"gate": gate, "owner": owner} {
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/cluster": 200, "/debug/check": 200} {
			if status, body := n.status(path); status != want {
				t.Errorf("%s of %s: %d %s", path, name, status, body)
			}
		}
	}
	eventually(t, "the shard node tells of its views", func() bool { return owner.metric("feedgate_views_resident") == 2 })
	if n := gate.metric("feedgate_views_resident"); n != 0 {
		t.Errorf("the gateway has %v views", n)
	}

	// The gateway goes on without shards: sockets stay, and work once there are any.
	owner.terminate()
	owner = f.node("owner", "shard")
	second := ""
	eventually(t, "a post is taken", func() bool {
		ok, err := alice.try("publish", map[string]any{"text": "by the next"})
		if err == nil {
			second = ok.Post.ID
		}
		return err == nil
	})
	eventually(t, "bob has it", func() bool {
		got := bob.next() // a reset too: the shards' state went with the only owner
		return got.Event != nil && got.Event.ID == second || got.Reset != nil
	})
	gate.hangUpAndStop()
	owner.terminate()
}

// TestDrainOrder: a node that is told to go is first taken for gone by those who
// send clients, then gives its shards away, and then tells its sockets.
func TestDrainOrder(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	stays, goes := f.node("stays"), f.node("goes")
	f.shards(stays, goes)
	device := connect(t, &goes.node, "alice", nil)
	goes.signal(syscall.SIGTERM)
	refused := func() bool {
		status, body := goes.status("/readyz")
		return status == 0 || status == 503 && strings.Contains(body, "draining")
	}
	eventually(t, "/readyz fails", refused)
	bye, code := device.closed()
	if code != 4200 || bye.Bye == nil || bye.Bye.SpreadMS <= 0 {
		t.Errorf("closed with %d, bye %+v", code, bye.Bye)
	}
	if err := goes.wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	logs := goes.logs.String()
	if given, told := strings.Index(logs, "shards handed over"), strings.Index(logs, "msg=draining"); given < 0 || told < given {
		t.Error("the shards were not given away before the sockets were told")
	}
	back := connect(t, &stays.node, "alice", device.resume(device.hello.N))
	if !back.hello.Resumed {
		t.Errorf("elsewhere the stream does not go on: %+v", back.hello)
	}
	stays.hangUpAndStop()
}

// TestNameTaken starts a second process by a node's name: the first stops by
// itself, with the code that keeps supervisors from starting it again.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	first := f.node("name")
	device := connect(t, &first.node, "alice", nil)
	second := f.node("name")
	if _, code := device.closed(); code != 4200 {
		t.Errorf("closed with %d", code)
	}
	first.wait()
	if first.code() != exitFenced {
		t.Errorf("code %d, want %d", first.code(), exitFenced)
	}
	if first.logs.has("shards handed over") {
		t.Error("it gave away shards that were no longer its own")
	}
	back := connect(t, &second.node, "alice", nil)
	back.publish("goes on")
	second.hangUpAndStop()
}
