package shard

// State is what /cluster shows of a host.
type State struct {
	Node   string       `json:"node"`
	Shards []ShardState `json:"shards"`
}

// ShardState is one shard of it.
type ShardState struct {
	Shard     int    `json:"shard"`
	Owner     string `json:"owner"`
	Epoch     uint64 `json:"epoch"`
	Head      uint64 `json:"head"` // seq of its log's last event
	Residents int64  `json:"residents"`
	Sessions  int64  `json:"sessions"`
	Edges     int64  `json:"edges"`
	Lag       uint64 `json:"lag"` // events that the shard has yet to apply
	Mailbox   int    `json:"mailbox"`
}

// State returns figures about the shards served as of about now.
func (h *Host) State() State {
	heads, _ := h.ring.Heads()
	s := State{Node: h.opts.Node, Shards: []ShardState{}}
	for _, a := range h.served() {
		s.Shards = append(s.Shards, ShardState{
			Shard: int(a.shard), Owner: h.opts.Node, Epoch: a.epoch.Load(), Head: heads[a.shard].Seq,
			Residents: a.residents.Load(), Sessions: a.sessions.Load(), Edges: a.edges.Load(),
			Lag: a.lag(), Mailbox: len(a.mailbox),
		})
	}
	return s
}
