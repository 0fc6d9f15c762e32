package feedengine

import (
	"hash/maphash"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What befalls the engines and sessions of TestModel's simulation in a cluster.

// upheaval is one of the greater events in the life of a shard.
func (s *sim) upheaval(h *host) {
	switch s.choose.intn(6) {
	case 0, 1:
		h.move()
	case 2:
		h.die()
	case 3:
		s.gatewayGone(GatewayID(s.choose.intn(3)))
	case 4, 5:
		s.loseHistory(s.choose.intn(len(s.logs)))
	}
}

// begin puts an engine that knows nobody in the place of the host's.
func (h *host) begin(heads []Head) {
	first := h.newEngine(heads)
	opts := first.opts
	h.replace(func(*Engine) (*Engine, uint64) { return New(opts), 0 })
}

func (h *host) replace(make func(*Engine) (*Engine, uint64)) {
	h.inputs = append(h.inputs, timed{now: h.clock, make: make})
	var sum uint64
	h.engine, sum = make(h.engine)
	h.digests = append(h.digests, sum)
	h.asked, h.taken, h.saves, h.saved = nil, nil, nil, nil
	for _, d := range h.devices {
		if d.session != 0 && h.home(d.user) == h {
			d.deaf = true
		}
	}
	if err := h.engine.Check(); err != nil {
		h.failf("Check of a new engine: %v", err)
	}
}

// move hands the shard to the next owner, who may keep more or less. Now and
// then the host is careless of marks under way.
func (h *host) move() {
	careless := h.choose.intn(4) == 0
	for !careless && len(h.saves)+len(h.saved) > 0 {
		h.commitMark(false)
		h.tellSaved()
	}
	marks := map[Token]bool{}
	for _, save := range h.saves {
		marks[save.Token] = true
	}
	for _, saved := range h.saved {
		marks[saved.Token] = true
	}
	h.step(RetireInput{})
	for token := range h.replies {
		if !marks[token] {
			h.failf("request %d waits, though the shard was retired", token)
		}
		delete(h.replies, token) // answered by the host
	}
	live := 0
	for _, s := range h.engine.users {
		if v := h.engine.at(s); v.phase == phaseLive && (v.pending == nil || v.pending.marks == 0) {
			live++
		}
	}
	opts := h.engine.opts
	opts.KeepTail, opts.KeepUnread = 2+h.choose.intn(3), 2+h.choose.intn(3)
	now := h.clock
	h.note("[%d] moves", h.shard)
	h.replace(func(old *Engine) (*Engine, uint64) {
		handed := old.Export()
		b := EncodeHandover(handed)
		got, err := DecodeHandover(b)
		if err != nil {
			h.failf("%v", err)
		}
		switch diff := cmp.Diff(handed, got, cmpopts.EquateEmpty()); {
		case diff != "":
			h.failf("handover is read as another: %s", diff)
		case len(got.Views) != live:
			h.failf("%d views handed over, %d are live", len(got.Views), live)
		}
		for i, ev := range got.Events {
			if ev.Seq > 0 { // as the host has it from its ring
				got.Events[i] = handed.Events[i]
			}
		}
		return Import(opts, got, now), maphash.Bytes(digestSeed, b)
	})
	h.checkViews()
}

// die is the owner's end; the next one knows the logs' heads and nothing else.
func (h *host) die() {
	h.note("[%d] dies", h.shard)
	for token := range h.replies {
		delete(h.replies, token)
	}
	for _, d := range h.devices {
		if d.waiting && h.home(d.user) == h {
			d.gone()
		}
	}
	heads := h.heads()
	h.stepped = h.between(make([]Head, len(heads)), heads, func(int) int { return 0 })
	h.begin(heads)
}

// gatewayGone: a gateway and its devices' sessions end.
func (s *sim) gatewayGone(g GatewayID) {
	for _, h := range s.hosts {
		h.step(GatewayGoneInput{g})
		for _, d := range s.devices {
			switch {
			case d.gateway != g || s.home(d.user) != h:
			case d.waiting:
				s.failf("%v: its attach still waits", d)
			default:
				d.gone()
			}
		}
	}
}

// deafen: what a device is sent is lost from now on.
func (s *sim) deafen(d *device) {
	if d.session != 0 && !d.waiting {
		d.deaf = true
	}
}

// rejoin brings the sessions of a gateway: all of them, or some. Those that
// the view can serve see nothing but what they lacked.
func (h *host) rejoin(g GatewayID, whole bool) {
	in := RejoinInput{Gateway: g, Whole: whole}
	wants := map[*device]uint64{} // who is not to be reset, and up to which event
	for _, d := range h.devices {
		if d.session == 0 || d.waiting || d.gateway != g || h.home(d.user) != h {
			continue
		}
		if whole && h.choose.intn(6) == 0 && !h.settling {
			d.gone() // and nobody told the engine
			continue
		}
		if !whole && h.choose.intn(3) == 2 && !h.settling {
			continue
		}
		d.deaf = false
		in.Sessions = append(in.Sessions, Rejoin{d.user, d.session, d.stream, d.n, d.counts.V, d.background})
		if s, ok := h.engine.users[d.user]; ok {
			v := h.engine.at(s)
			if _, ok := v.since(d.n); v.phase == phaseLive && v.stream == d.stream && (ok || d.background) {
				wants[d] = v.n
			}
		}
	}
	resets := maps.Clone(h.resets)
	h.step(in)
	for d, n := range wants {
		if d.background {
			n = d.n
		}
		if h.resets[d] != resets[d] || d.n != n {
			h.failf("%v: was reset or is at %d after a rejoin, not at %d", d, d.n, n)
		}
	}
	for s := slot(1); whole && s < h.engine.used; s++ {
		for _, sn := range h.engine.at(s).sessions {
			if sn.gateway == g && !slices.ContainsFunc(in.Sessions, func(r Rejoin) bool { return r.Session == sn.id }) {
				h.failf("session %d of gateway %d stays, though it was not named", sn.id, g)
			}
		}
	}
}

// loseHistory: the database comes back without the last events of a log. Engines
// that had applied them are told; the others find out by what comes next.
func (s *sim) loseHistory(shard int) {
	end := s.ends[shard].Seq
	seq := end - min(end, uint64(s.choose.intn(4)))
	s.note("log %d loses what is above %d", shard, seq)
	lost := s.logs[shard][seq:]
	s.lose(ShardID(shard), seq)
	s.pending[shard] = nil // nobody's decisions hold any more
	s.ahead.logs[shard], s.ahead.ends[shard] = slices.Clone(s.logs[shard]), s.ends[shard]
	for _, h := range s.hosts {
		if h.engine.Heads()[shard].Seq <= seq {
			continue
		}
		h.stepped = slices.DeleteFunc(h.stepped, func(ev *Event) bool { return slices.Contains(lost, ev) })
		heads := slices.Clone(h.engine.Heads())
		heads[shard] = s.ends[shard]
		h.step(RebuildInput{Reason: ResetHistoryLost, Heads: heads})
	}
}
