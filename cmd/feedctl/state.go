package main

import (
	"context"
	"time"
)

// state is what /cluster shows, as far as it is read here.
type state struct {
	Node    string      `json:"node"`
	At      time.Time   `json:"at"`
	Nodes   []nodeState `json:"nodes"`
	Shards  []shard     `json:"shards"`
	Moves   []move      `json:"moves"`
	Missing []string    `json:"missing"`
}

type nodeState struct {
	Node        string        `json:"node"`
	Gateway     bool          `json:"gateway"`
	Shard       bool          `json:"shard"`
	State       string        `json:"state"`
	Admin       string        `json:"admin"`
	Version     string        `json:"version"`
	Started     time.Time     `json:"started"`
	BeatAge     float64       `json:"beat_age"`
	Owned       int           `json:"owned"`
	Answered    bool          `json:"answered"`
	Connections int           `json:"connections"`
	Deliveries  float64       `json:"deliveries"`
	P50         time.Duration `json:"p50"`
	P99         time.Duration `json:"p99"`
	Links       []struct {
		Lost uint64 `json:"lost"`
	} `json:"links"`
}

type shard struct {
	Shard     int    `json:"shard"`
	Owner     string `json:"owner"`
	Claimed   string `json:"claimed"`
	Epoch     uint64 `json:"epoch"`
	Head      uint64 `json:"head"`
	Residents int64  `json:"residents"`
	Sessions  int64  `json:"sessions"`
	Lag       uint64 `json:"lag"`
	Pinned    bool   `json:"pinned"`
}

type move struct {
	Shard int     `json:"shard"`
	From  string  `json:"from"`
	To    string  `json:"to"`
	Since float64 `json:"since"`
}

func (c *client) state(ctx context.Context) (s state, raw []byte, err error) {
	raw, err = c.get(ctx, "/cluster", &s)
	return s, raw, err
}
