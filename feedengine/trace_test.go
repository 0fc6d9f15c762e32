package feedengine

import (
	"slices"
	"testing"
)

// A trace follows a post from the log into the stream, the counter and out again.
func TestTrace(t *testing.T) {
	const shards = 4
	shardOf := func(user string) ShardID { return ShardID(len(user) % shards) }
	e := New(Options{Shard: shardOf("bob"), ShardOf: shardOf, Heads: make([]Head, shards), FirstStream: 7})
	by := shardOf("alice")
	id := func(n int64) ID { return Tick(n).ID(by) }
	if got := e.Trace("bob", id(20), "alice"); got.Resident || got.Applied != 0 {
		t.Fatalf("of nobody: %+v", got)
	}
	e.Step(0, AttachInput{Token: 1, User: "bob", Session: 5, Gateway: 2})
	if got := e.Trace("bob", id(20), "alice"); !got.Resident || !got.Loading {
		t.Fatalf("while loading: %+v", got)
	}
	e.Step(0, LoadedInput{Heads: make([]Head, shards), Users: []LoadedUser{{User: "bob", Follows: []Edge{{Author: "alice", Since: id(10)}}}}})
	post := &Event{Shard: by, Epoch: 1, Seq: 1, ID: id(20), Kind: KindPost, Actor: "alice", Post: &Post{ID: id(20), Author: "alice"}}
	if got := e.Trace("bob", post.ID, "alice"); got.N != 0 || got.Unread || !got.Follows || got.Applied != 0 {
		t.Fatalf("before the post: %+v", got)
	}
	e.Step(0, LogInput{Event: post})
	got := e.Trace("bob", post.ID, "alice")
	if got.N != 1 || !got.Unread || got.Applied != 1 || got.Last != 1 || got.Stream != 7 || got.Counts.Feed != 1 ||
		!slices.Equal(got.Sessions, []TraceSession{{2, 5, false}}) {
		t.Fatalf("after the post: %+v", got)
	}
	e.Step(0, LogInput{Event: &Event{Shard: by, Epoch: 1, Seq: 2, ID: id(30), Kind: KindPostDeleted, Actor: "alice", Target: post.ID}})
	if got := e.Trace("bob", post.ID, "alice"); got.N != 0 || got.Unread || got.Applied != 2 {
		t.Fatalf("after its deletion: %+v", got)
	}
}
