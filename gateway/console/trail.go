package console

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Trail is what one node knows of a post on its way to a user.
type Trail struct {
	Node    string        `json:"node"`
	Err     string        `json:"err,omitempty"`     // it does not answer
	Host    *HostTrail    `json:"host,omitempty"`    // it may serve shards
	Route   *RouteTrail   `json:"route,omitempty"`   // it holds sockets, and other nodes own shards
	Sockets []SocketTrail `json:"sockets,omitempty"` // the user's there
}

// HostTrail is what it knows of logs and shards.
type HostTrail struct {
	// The post's log.
	Log     int       `json:"log"`
	LogHere bool      `json:"log_here"`         // this node writes it
	LogHead uint64    `json:"log_head"`         // up to which seq this node knows it
	Found   bool      `json:"found"`            // the post stands in it
	Epoch   uint64    `json:"epoch,omitempty"`  // its position
	Seq     uint64    `json:"seq,omitempty"`    //
	Author  string    `json:"author,omitempty"` //
	Known   time.Time `json:"known,omitzero"`   // when the node had committed it, or heard of it; zero: too long ago

	// The user's shard; what follows only where it is served.
	Shard    int           `json:"shard"`
	Serves   bool          `json:"serves"`
	Applied  bool          `json:"applied"`
	At       time.Time     `json:"applied_at,omitzero"` // zero: too long ago
	Lag      uint64        `json:"lag"`                 // events that the shard has yet to apply
	Resident bool          `json:"resident"`            // the user's stream is in memory
	Loading  bool          `json:"loading"`
	Follows  bool          `json:"follows"`
	Since    feedengine.ID `json:"since,string"` // the author's posts up to here are not addressed to the user
	Stream   string        `json:"stream,omitempty"`
	Last     uint64        `json:"last"`   // number of the stream's newest event
	N        uint64        `json:"n"`      // the post's number in it; 0: it is not among its latest
	Unread   bool          `json:"unread"` // it counts
	Feed     uint32        `json:"feed"`   // the user's counter
	Mark     feedengine.ID `json:"mark,string"`
}

// RouteTrail is the gateway node's side of the way between owner and sockets.
type RouteTrail struct {
	Owner      string         `json:"owner"` // of the user's shard, as far as the node knows
	Epoch      uint64         `json:"epoch"`
	Sessions   []RouteSession `json:"sessions"`
	First      time.Time      `json:"first,omitzero"` // when the event was handed to sessions here, the user's or others'
	Last       time.Time      `json:"last,omitzero"`
	Recipients int            `json:"recipients"`
}

// RouteSession is one of the user's sessions in it.
type RouteSession struct {
	Session    feedengine.SessionID `json:"session"`
	N          uint64               `json:"n"` // of the last event handed to it
	Background bool                 `json:"background"`
	State      string               `json:"state"`
}

// SocketTrail is one of the user's sockets.
type SocketTrail struct {
	Session feedengine.SessionID `json:"session"`
	State   string               `json:"state"`
	Stream  string               `json:"stream"`
	Taken   uint64               `json:"taken"` // n of the newest event in its outbox
	Sent    uint64               `json:"sent"`
	SentAt  time.Time            `json:"sent_at,omitzero"`
	Acked   uint64               `json:"acked"`
	Heard   time.Time            `json:"heard"`
}
