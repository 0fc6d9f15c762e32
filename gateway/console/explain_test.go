package console

import (
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const postID = feedengine.ID(7_000_000_000_000)

// whole is what three nodes know of a post that went all the way: log serves its
// shard, owner the user's, gate the user's socket.
func whole() (*feedengine.Post, []Trail) {
	at := postID.Time()
	ms := func(n int) time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
	post := &feedengine.Post{ID: postID, Author: "alice"}
	return post, []Trail{
		{Node: "gate", Route: &RouteTrail{
			Owner: "owner", Sessions: []RouteSession{{Session: 5, N: 3, State: "whole"}}, First: ms(5), Last: ms(6),
		}, Sockets: []SocketTrail{{Session: 5, State: "live", Stream: "b1", Taken: 3, Sent: 3, SentAt: ms(7), Acked: 3}}},
		{Node: "log", Host: &HostTrail{Log: 1, LogHere: true, LogHead: 9, Found: true, Epoch: 2, Seq: 9, Author: "alice", Known: ms(2)}},
		{Node: "owner", Host: &HostTrail{
			Log: 1, LogHead: 9, Found: true, Epoch: 2, Seq: 9, Author: "alice", Known: ms(3),
			Shard: 4, Serves: true, Applied: true, At: ms(4), Resident: true, Follows: true, Stream: "b1", Last: 3, N: 3,
		}},
	}
}

func TestExplainNamesTheFirstMissingStep(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(post **feedengine.Post, gate, log, owner *Trail)
		missing, why string
	}{
		"all the way":          {func(**feedengine.Post, *Trail, *Trail, *Trail) {}, "", "all the way"},
		"not acknowledged yet": {func(_ **feedengine.Post, gate, _, _ *Trail) { gate.Sockets[0].Acked = 2 }, "", "all the way"},
		"never committed": {func(p **feedengine.Post, _, log, owner *Trail) {
			*p, log.Host.Found, owner.Host.Found = nil, false, false
		}, "committed", "never"},
		"nobody serves the user": {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Serves = false }, "announced", "nobody"},
		"the announce was lost": {func(_ **feedengine.Post, _, _, owner *Trail) {
			owner.Host.LogHead, owner.Host.Known, owner.Host.Applied = 8, time.Time{}, false
		}, "announced", "lost"},
		"lagging":           {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Applied = false }, "applied", "lags"},
		"not resident":      {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Resident, owner.Host.N = false, 0 }, "in_stream", "not in memory"},
		"loading":           {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Resident, owner.Host.Loading = false, true }, "in_stream", "loaded"},
		"does not follow":   {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Follows, owner.Host.N = false, 0 }, "in_stream", "not follow"},
		"followed later":    {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.Since, owner.Host.N = postID+1, 0 }, "in_stream", "after the post"},
		"not in the stream": {func(_ **feedengine.Post, _, _, owner *Trail) { owner.Host.N = 0 }, "in_stream", "latest events"},
		"no socket":         {func(_ **feedengine.Post, gate, _, _ *Trail) { gate.Sockets = nil }, "forwarded", "no socket"},
		"in another stream": {func(_ **feedengine.Post, gate, _, _ *Trail) { gate.Sockets[0].Stream = "a0" }, "forwarded", "reset"},
		"lost on the way":   {func(_ **feedengine.Post, gate, _, _ *Trail) { gate.Sockets[0].Taken = 2 }, "forwarded", "asked for again"},
		"in the background": {func(_ **feedengine.Post, gate, _, _ *Trail) {
			gate.Sockets[0].Taken, gate.Route.Sessions[0].Background = 2, true
		}, "forwarded", "background"},
		"a slow client":         {func(_ **feedengine.Post, gate, _, _ *Trail) { gate.Sockets[0].Sent = 2 }, "sent", "outbox"},
		"the log has forgotten": {func(_ **feedengine.Post, _, log, owner *Trail) { log.Host.Found, owner.Host.Found = false, false }, "", "all the way"},
		"a node alone": {func(_ **feedengine.Post, gate, log, owner *Trail) {
			owner.Host.LogHere, owner.Sockets = true, gate.Sockets
			gate.Sockets, gate.Route, log.Host = nil, nil, nil
		}, "", "all the way"},
	} {
		post, trails := whole()
		c.change(&post, &trails[0], &trails[1], &trails[2])
		e := explain("bob", postID, post, trails)
		if e.Missing != c.missing || !strings.Contains(e.Why, c.why) {
			t.Errorf("%s: missing %q because %q; want %q, %q", name, e.Missing, e.Why, c.missing, c.why)
		}
		for i, s := range e.Steps {
			if missing := s.State == no; missing != (s.Step == e.Missing && i == len(e.Steps)-1) {
				t.Errorf("%s: step %+v of %d, missing %q", name, s, len(e.Steps), e.Missing)
			}
		}
	}
}

func TestExplainTellsWhenAndWhere(t *testing.T) {
	post, trails := whole()
	e := explain("bob", postID, post, trails)
	want := []Step{
		{Step: "accepted"}, {Step: "committed", Node: "log"}, {Step: "announced", Node: "owner"}, {Step: "applied", Node: "owner"},
		{Step: "in_stream", Node: "owner"}, {Step: "forwarded", Node: "gate"}, {Step: "sent", Node: "gate"}, {Step: "acknowledged", Node: "gate"},
	}
	if len(e.Steps) != len(want) {
		t.Fatalf("steps %+v", e.Steps)
	}
	last := time.Time{}
	for i, s := range e.Steps {
		if s.Step != want[i].Step || s.Node != want[i].Node || s.State != yes {
			t.Errorf("step %d: %+v, want %+v", i, s, want[i])
		}
		if s.At.Before(last) && !s.At.IsZero() {
			t.Errorf("step %s was at %v, before the one before it", s.Step, s.At)
		}
		if !s.At.IsZero() {
			last = s.At
		}
	}
	if last.IsZero() || !strings.Contains(e.Steps[1].Detail, "shard 1, epoch 2, seq 9") {
		t.Errorf("steps %+v", e.Steps)
	}
}

func TestExplainSaysWhoIsSilent(t *testing.T) {
	post, trails := whole()
	trails[1] = Trail{Node: "log", Err: "log does not answer"}
	e := explain("bob", postID, post, trails)
	if s := e.Steps[0]; s.Step != "asked" || s.Node != "log" || s.State != no {
		t.Errorf("first step %+v", s)
	}
	if e.Missing != "" || !strings.Contains(e.Steps[2].Detail, "nobody that answered serves that shard") {
		t.Errorf("missing %q, steps %+v", e.Missing, e.Steps)
	}
}
