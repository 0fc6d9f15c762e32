package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

type shardsCmd struct {
	Owner   string `placeholder:"NODE" help:"Only those of this node."`
	Summary bool   `help:"One line for each owner instead of one for each shard."`
}

// Run shows the shards.
func (c *shardsCmd) Run(ctx context.Context, s *session) error {
	st, raw, err := s.state(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return s.print(raw)
	}
	if c.Owner != "" {
		st.Shards = slices.DeleteFunc(st.Shards, func(one shard) bool { return one.Owner != c.Owner })
		if len(st.Shards) == 0 {
			return fmt.Errorf("%s serves no shard", c.Owner)
		}
	}
	if c.Summary {
		return summary(st.Shards).print(s.out)
	}
	moving := map[int]string{}
	for _, m := range st.Moves {
		moving[m.Shard] = "moving to " + m.To
	}
	t := newTable(">SHARD", "OWNER", ">EPOCH", ">HEAD", ">RESIDENTS", ">SESSIONS", ">LAG", "")
	for _, one := range st.Shards {
		note := moving[one.Shard]
		if one.Pinned {
			note += " pinned"
		}
		if one.Owner == "" {
			note += " claimed last by " + orNobody(one.Claimed)
		}
		t.add(one.Shard, orNobody(one.Owner), one.Epoch, one.Head, one.Residents, one.Sessions, one.Lag, note)
	}
	return t.print(s.out)
}

// summary adds up by owner.
func summary(shards []shard) *table {
	type sum struct {
		shards              int
		residents, sessions int64
		lag                 uint64
	}
	owners := map[string]*sum{}
	for _, one := range shards {
		o := owners[one.Owner]
		if o == nil {
			o = &sum{}
			owners[one.Owner] = o
		}
		o.shards++
		o.residents += one.Residents
		o.sessions += one.Sessions
		o.lag = max(o.lag, one.Lag)
	}
	t := newTable("OWNER", ">SHARDS", ">SHARE", ">RESIDENTS", ">SESSIONS", ">MOST LAG")
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		o := owners[owner]
		share := fmt.Sprintf("%.1f %%", 100*float64(o.shards)/float64(len(shards)))
		t.add(orNobody(owner), o.shards, share, o.residents, o.sessions, o.lag)
	}
	return t
}

func orNobody(node string) string {
	if node == "" {
		return "(nobody)"
	}
	return node
}
