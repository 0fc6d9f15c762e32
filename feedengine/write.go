package feedengine

// Write is one element of a commit: an event for a log, or a read mark. A
// commit's writes become durable together or not at all.
type Write struct {
	Shard ShardID // whose ownership the write needs
	Event *Event  // nil for a mark; Event.Shard is Shard
	Mark  *Mark   // nil for an event
	Key   *Key    // with an event: the idempotency key that it settles, or nil
}

// Fence is a shard under whose claim a commit is made.
type Fence struct {
	Shard ShardID
	Epoch uint64
}

// Key is a client's idempotency key. It belongs to (User, Op).
type Key struct {
	User string
	Op   string   // "publish", …
	Key  string   // 1 to 64 bytes
	Hash [16]byte // of the request's content
	ID   ID       // of the event that the key's first request made
}

// Edge is one edge of the follow graph, seen from its follower.
type Edge struct {
	Author string
	Since  ID // of the follow event: later posts are addressed to the follower
}

// Page is a piece of a feed, newest post first.
type Page struct {
	Posts []*Post
	Next  ID // what to ask for as `before` to go on; 0 at the end
}
