package feedengine

import (
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	seedCount = flag.Int("seeds", 300, "how many seeds TestModel runs")
	oneSeed   = flag.Uint64("seed", 0, "the only seed that TestModel runs, with a trace")
)

// TestModel lets several engines live through random histories and holds them
// against the facts after every step.
func TestModel(t *testing.T) {
	if *oneSeed != 0 {
		runModel(t, *oneSeed)
		return
	}
	for seed := uint64(1); seed <= uint64(*seedCount) && !t.Failed(); seed++ {
		runModel(t, seed)
	}
}

func runModel(t *testing.T, seed uint64) {
	s := newSim(t, &dice{rand.New(rand.NewPCG(seed, 1)), 700})
	s.name = fmt.Sprintf("replay alone with: go test ./feedengine -run TestModel -seed %d", seed)
	s.run()
}

// chooser makes the choices of a simulation.
type chooser interface {
	intn(n int) int
	done() bool
}

type dice struct {
	*rand.Rand
	steps int
}

func (d *dice) intn(n int) int { return d.IntN(n) }
func (d *dice) done() bool     { d.steps--; return d.steps < 0 }

// sim is a cluster of engines over the same logs, their hosts, the storage and
// the devices.
type sim struct {
	*facts
	t       testing.TB
	name    string
	choose  chooser
	clock   int64 // milliseconds since IDEpoch
	ticks   []Tick
	pending [][]*Event // by shard: have their ids, are not committed yet
	ahead   *facts     // with those: what shards decide by
	hosts   []*host
	devices []*device
	users   []string
	token   Token
	session [3]SessionID // of each gateway, given out last
	engines StreamID     // engines made so far
	trace   []string     // the newest lines

	settling bool // everything is made whole
}

// host is the shard around one engine.
type host struct {
	*sim
	shard   ShardID
	engine  *Engine
	stepped []*Event // in this order
	asked   []LoadUser
	taken   []LoadedInput // snapshots on their way; Missed comes when they arrive
	saves   []SaveMark    // to be committed
	saved   []MarkSavedInput
	told    map[markOf]ID // the greatest mark of which the engine was told
	replies map[Token]func(Result)
	pages   map[*Post][]Head // heads of a page, by its first post
	inputs  []timed          // all that the engine was stepped with
	digests []uint64         // of the effects
	resets  map[*device]int  // how often each was reset
}

// timed is an input, or what puts another engine in the place of one.
type timed struct {
	now  int64
	in   Input
	make func(*Engine) (next *Engine, digest uint64)
}

var digestSeed = maphash.MakeSeed()

func newSim(t testing.TB, choose chooser) *sim {
	shards := 1 + choose.intn(3)
	s := &sim{t: t, choose: choose, clock: 1_000_000, ticks: make([]Tick, shards), pending: make([][]*Event, shards)}
	s.facts = newFacts(shards, func(user string) ShardID { return ShardID(int(user[0]) % shards) })
	s.ahead = newFacts(shards, s.shardOf)
	for i := range 3 + choose.intn(4) {
		s.users = append(s.users, string(rune('a'+i)))
	}
	for i := range shards {
		h := &host{sim: s, shard: ShardID(i), told: map[markOf]ID{}, replies: map[Token]func(Result){}, pages: map[*Post][]Head{}, resets: map[*device]int{}}
		h.begin(make([]Head, shards))
		s.hosts = append(s.hosts, h)
	}
	for i := range 2 + choose.intn(5) {
		s.devices = append(s.devices, &device{user: s.users[choose.intn(len(s.users))], gateway: GatewayID(i % 3), hidden: map[string]uint64{}, veiled: map[string]bool{}})
	}
	return s
}

// newEngine makes an engine that knows nobody. Its stream ids are nobody else's.
func (h *host) newEngine(heads []Head) *Engine {
	h.engines++
	return New(Options{
		Shard: h.shard, ShardOf: h.shardOf, Heads: heads,
		FirstStream: h.engines<<32 + 1, KeepTail: 4, KeepUnread: 3,
	})
}

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s\n%s", strings.Join(s.trace, "\n"), fmt.Sprintf(format, args...), s.name)
}

func (s *sim) note(format string, args ...any) {
	if len(s.trace) >= 80 && *oneSeed == 0 {
		s.trace = slices.Delete(s.trace, 0, 40)
	}
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

func (s *sim) run() {
	for !s.choose.done() {
		s.clock += int64(s.choose.intn(3))
		s.act(s.choose.intn(100))
	}
	s.settle()
	s.checkEnd()
	for _, h := range s.hosts {
		h.checkPure()
	}
}

func (s *sim) act(op int) {
	h := s.hosts[s.choose.intn(len(s.hosts))]
	d := s.devices[s.choose.intn(len(s.devices))]
	switch {
	case op < 20:
		s.begin()
	case op < 34:
		s.commitNext(s.choose.intn(len(s.pending)))
	case op < 60:
		h.stepLog(s.choose.intn(len(s.logs)))
	case op < 66:
		h.takeSnapshot(s.choose.intn(4) == 0)
	case op < 71:
		h.arrive(s.choose.intn(12) == 0)
	case op < 77:
		s.toggle(d)
	case op < 80:
		s.sync(d)
	case op < 84:
		s.setState(d, s.choose.intn(2) == 0)
	case op < 86:
		s.ask(s.users[s.choose.intn(len(s.users))])
	case op < 90:
		s.read(s.users[s.choose.intn(len(s.users))])
	case op < 92:
		h.commitMark(s.choose.intn(8) == 0)
	case op < 94:
		h.tellSaved()
	case op < 95:
		s.deafen(d)
	case op < 96:
		h.rejoin(GatewayID(s.choose.intn(3)), s.choose.intn(2) == 0)
	case op < 97:
		if s.choose.intn(2) == 0 {
			s.upheaval(h)
		} else {
			h.step(AuditInput{})
		}
	case op < 99:
		h.step(EvictInput{Before: s.clock - int64(s.choose.intn(200)), Extra: s.choose.intn(3) / 2})
	default:
		if s.choose.intn(3) == 0 {
			h.step(RebuildInput{Reason: ResetViewRebuilt})
		}
	}
}

// begin gives some user's action its id. Clocks of shards differ, and it is
// committed later, or much later.
func (s *sim) begin() {
	ev := &Event{Actor: s.user(), Kind: KindPost}
	ev.Shard = s.shardOf(ev.Actor)
	kind := s.choose.intn(40)
	post := ID(0) // that it is about
	owner := ""
	switch {
	case kind < 12:
	case kind < 17: // the actor's own post
		if posts := s.ahead.posts(ev.Actor, s.ahead.heads(), 0); len(posts) > 0 {
			post = posts[s.choose.intn(len(posts))].ID
		}
	case kind < 28: // anybody's
		owner = s.user()
		if posts := s.ahead.posts(owner, s.ahead.heads(), 0); len(posts) > 0 {
			post = posts[s.choose.intn(len(posts))].ID
			ev.Shard = post.Shard()
		}
	}
	to := []string{s.user()}
	if kind >= 28 && kind < 32 { // a message
		if s.choose.intn(2) == 0 {
			to = append(to, s.user())
		}
		if members := ConversationMembers(ev.Actor, to); len(members) > 1 {
			ev.Shard = s.shardOf(members[0])
		} else {
			kind = 0
		}
	}
	ev.ID = s.tick(ev.Shard)
	switch {
	case kind < 12 || kind < 28 && post == 0:
		ev.Post = &Post{ID: ev.ID, Author: ev.Actor, Kind: "post"}
		ev.Users = s.some(ev.Actor)
		if s.choose.intn(5) == 0 {
			ev.Post.Kind, ev.Post.More = KindOfJob, &More{Job: &Job{Title: "x"}, Alerts: s.some(ev.Actor)}
		}
	case kind < 15:
		ev.Kind, ev.Target = KindPostDeleted, post
		s.ahead.decideDelete(ev, s.users)
	case kind < 17:
		ev.Kind, ev.Post = KindPostEdited, &Post{ID: post, Author: ev.Actor, Kind: "post", Text: "edited", More: &More{Edited: ev.ID}}
	case kind < 25:
		s.ahead.decideLike(ev, post, owner, s.choose.intn(4) > 0)
	case kind < 28:
		ev.Kind, ev.Fact, ev.Users = KindComment, &Comment{ID: ev.ID, Post: post, Owner: owner}, s.some(ev.Actor)
	case kind < 32:
		s.ahead.decideMessage(ev, to)
	default:
		s.beginOwn(ev, kind)
	}
	s.pending[ev.Shard] = append(s.pending[ev.Shard], ev)
	s.ahead.expect(ev)
}

// beginOwn makes the event one of those that concern the actor's own view first.
func (s *sim) beginOwn(ev *Event, kind int) {
	other := s.user()
	switch {
	case kind < 34:
		if all := s.ahead.messages(ev.Actor, s.ahead.heads()); len(all) > 0 {
			m := all[s.choose.intn(len(all))]
			seen := &Seen{Conversation: m.Fact.(*Message).Conversation, Upto: m.ID, Read: s.choose.intn(3) > 0}
			if s.choose.intn(3) == 0 {
				seen.Upto = ev.ID
			}
			ev.Kind, ev.Fact, ev.Users = KindSeen, seen, others(m.Users, ev.Actor)
			return
		}
		fallthrough
	case kind < 36:
		ev.Kind = KindFollow
		first := s.choose.intn(len(s.users))
		for i := range 1 + s.choose.intn(2) {
			if user := s.users[(first+i)%len(s.users)]; user != ev.Actor {
				ev.Users = append(ev.Users, user)
			}
		}
		if s.choose.intn(2) == 0 {
			ev.Fact = &Following{Notify: true}
		}
	case kind < 37:
		ev.Kind, ev.Users = KindUnfollow, slices.Clone(s.users)
		if s.choose.intn(4) > 0 {
			ev.Users = []string{other}
		}
		s.ahead.decideUnfollow(ev)
	case kind < 39 && other != ev.Actor:
		ev.Kind, ev.Users = KindBlock+EventKind(s.choose.intn(4)), []string{other}
	default:
		ev.Kind, ev.Fact = KindProfile, &Profile{User: ev.Actor, Name: [...]string{"", "x", "y"}[s.choose.intn(3)]}
	}
}

func (s *sim) user() string { return s.users[s.choose.intn(len(s.users))] }

// some are a few users, mostly none, and never the one.
func (s *sim) some(but string) []string {
	var users []string
	for range s.choose.intn(4) {
		if user := s.user(); user != but && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	return users
}

// tick is the next id of a shard's clock.
func (s *sim) tick(at ShardID) ID {
	s.ticks[at] = max(s.ticks[at]+1, Tick(s.clock+int64(at)*5)<<counterBits)
	return s.ticks[at].ID(at)
}

func (s *sim) commitNext(shard int) {
	if q := s.pending[shard]; len(q) > 0 {
		s.commit(q[0])
		s.pending[shard] = q[1:]
		s.note("%d/%d committed: %s", shard, q[0].Seq, printEvent(q[0]))
	}
}

// stepLog steps the engine with the next event of a log; now and then with one
// it knows, or one that comes too early.
func (h *host) stepLog(shard int) {
	seq := h.engine.Heads()[shard].Seq
	switch odd := h.choose.intn(40); {
	case odd == 2 && seq > 0:
		if got := h.step(LogInput{Event: h.logs[shard][seq-1]}); got != 0 {
			h.failf("an event that was known had effects")
		}
		return
	case odd == 1 && int(seq)+1 < len(h.logs[shard]):
		if got := h.step(LogInput{Event: h.logs[shard][seq+1]}); got != 1 || h.engine.Heads()[shard].Seq != seq {
			h.failf("a gap was not noticed")
		}
		return
	case int(seq) == len(h.logs[shard]):
		return
	}
	ev := h.logs[shard][seq]
	in := LogInput{Event: ev}
	if ShardID(shard) == h.shard && ev.Kind == KindFollow {
		in.Passed = passed(ev, h.stepped)
		if h.choose.intn(15) == 0 {
			in.Passed, in.PassedLost = nil, true
		}
	}
	for _, d := range h.devices {
		if h.home(d.user) == h && ev.changesHides(d.user) {
			for _, user := range append(ev.Users, ev.Actor) {
				d.veiled[user] = true
			}
		}
	}
	if ev.Kind == KindUnfollow {
		for _, d := range h.devices {
			if d.user == ev.Actor && h.shard == ev.Shard {
				if at, ok := h.engine.users[d.user]; ok {
					d.hide(ev.Users, h.engine.at(at).n)
				}
			}
		}
	}
	h.stepped = append(h.stepped, ev)
	h.step(in)
}

// takeSnapshot answers loads that were asked for as of committed heads, those of
// now or lagging ones. What it says of marks is never older than the question.
func (h *host) takeSnapshot(lagging bool) {
	if len(h.asked) == 0 {
		return
	}
	n := 1 + h.choose.intn(len(h.asked))
	heads := h.heads()
	if lagging {
		seqs := make([]uint64, len(heads))
		for i := range seqs {
			seqs[i] = heads[i].Seq - uint64(min(int(heads[i].Seq), h.choose.intn(12)))
		}
		heads = h.headsAt(seqs)
	}
	in := LoadedInput{Heads: heads}
	for _, ask := range h.asked[:n] {
		u := h.load(ask, heads, h.engine.opts.KeepUnread)
		if u.Page != nil && len(u.Page.Posts) > 0 {
			// The device finds the page's heads by its first post: one of its own.
			first := *u.Page.Posts[0]
			u.Page.Posts[0] = &first
			h.pages[&first] = heads
		}
		in.Users = append(in.Users, u)
	}
	h.asked = slices.Delete(h.asked, 0, n)
	h.taken = append(h.taken, in)
}

// arrive brings one of the snapshots, in any order.
func (h *host) arrive(failed bool) {
	if len(h.taken) == 0 {
		return
	}
	i := h.choose.intn(len(h.taken))
	in := h.taken[i]
	h.taken = slices.Delete(h.taken, i, i+1)
	if failed {
		in.Err = Refuse(Unavailable, "no storage")
		for i := range in.Users {
			in.Users[i] = LoadedUser{User: in.Users[i].User}
		}
	} else {
		in.Missed = h.between(in.Heads, h.engine.Heads(), h.choose.intn)
	}
	h.step(in)
}

func (s *sim) home(user string) *host { return s.hosts[s.shardOf(user)] }

func (h *host) expect(do func(Result)) Token {
	h.token++
	h.replies[h.token] = do
	return h.token
}

func refusedOr(s *sim, what any, do func(Result)) func(Result) {
	return func(r Result) {
		if r.Err == nil {
			do(r)
		} else if r.Err.Code != Unavailable {
			s.failf("%v: %v", what, r.Err)
		}
	}
}

// toggle attaches a device, with or without a resume and a page, or detaches it.
func (s *sim) toggle(d *device) {
	h := s.home(d.user)
	if d.session != 0 {
		in := DetachInput{User: d.user, Gateway: d.gateway, Session: d.session}
		in.Token = h.expect(func(r Result) {
			if r.Err != nil || d.waiting {
				s.failf("%v: detach: %v, attach still waits: %v", d, r.Err, d.waiting)
			}
			d.gone()
		})
		h.step(in)
		return
	}
	s.session[d.gateway]++
	d.session, d.waiting = s.session[d.gateway], true
	in := AttachInput{User: d.user, Session: d.session, Gateway: d.gateway}
	if d.stream != 0 && s.choose.intn(3) > 0 {
		in.Resume = &Resume{d.stream, d.n}
	}
	if s.choose.intn(2) == 0 {
		in.Page = 1 + s.choose.intn(3)
	}
	in.Token = h.expect(func(r Result) {
		if r.Err != nil {
			if r.Err.Code != Unavailable {
				s.failf("%v: %v", d, r.Err)
			}
			d.gone()
			return
		}
		heads := h.engine.Heads()
		if in.Page > 0 {
			if r.Page == nil || len(r.Page.Posts) > in.Page {
				s.failf("%v: asked for a page of %d", d, in.Page)
			}
			if len(r.Page.Posts) > 0 {
				heads = h.pages[r.Page.Posts[0]]
			}
		}
		if err := d.attached(r, heads, h.engine.Heads(), s.follows(d.user, h.engine.Heads())); err != nil {
			s.failf("%v: %v", d, err)
		}
	})
	h.step(in)
}

func (s *sim) sync(d *device) {
	if d.session == 0 || d.waiting || d.deaf {
		return
	}
	n := d.n - uint64(s.choose.intn(int(min(d.n, 6))+1))
	if s.choose.intn(10) == 0 {
		n = d.n + 1000
	}
	h := s.home(d.user)
	rebuilding := h.engine.at(h.engine.users[d.user]).phase == phaseLoading
	h.step(SyncInput{User: d.user, Gateway: d.gateway, Session: d.session, N: n, Token: h.expect(refusedOr(s, d, func(Result) {
		if !rebuilding && n <= d.n {
			d.rewind(n)
		}
	}))})
}

func (s *sim) setState(d *device, background bool) {
	if d.session == 0 || d.waiting || d.deaf {
		return
	}
	h := s.home(d.user)
	h.step(StateInput{User: d.user, Gateway: d.gateway, Session: d.session, Background: background, Token: h.expect(refusedOr(s, d, func(Result) {
		d.background = background
	}))})
}

func (s *sim) ask(user string) {
	h := s.home(user)
	h.step(CountsInput{User: user, Token: h.expect(refusedOr(s, user, func(r Result) { h.checkReply(user, r) }))})
}

func (s *sim) read(user string) {
	h := s.home(user)
	clock := (slices.Max(s.ticks) + 1).ID(0)
	upto, list := MaxID, marked[s.choose.intn(len(marked))]
	ids := s.unread(user, s.heads(), 0)
	if list == ListNotifications {
		ids = nil
		for _, n := range s.notes(user, s.heads(), 0) {
			ids = append(ids, UnreadID{ID: n.ID})
		}
	}
	if len(ids) > 0 && s.choose.intn(8) > 0 {
		upto = ids[s.choose.intn(len(ids))].ID
	}
	h.step(ReadInput{User: user, List: list, Upto: upto, Clock: clock, Token: h.expect(refusedOr(s, user, func(r Result) {
		h.checkReply(user, r)
		if mark := s.marks[markOf{user, list}]; r.Upto < min(upto, clock) || r.Upto > mark {
			s.failf("%s read %s up to %s, reply says %s, durable is %s", user, list, printID(upto), printID(r.Upto), printID(mark))
		}
	}))})
}

// checkReply holds a reply with counters against the facts as of what the
// engine has applied.
func (h *host) checkReply(user string, r Result) {
	v := h.engine.at(h.engine.users[user])
	want := h.counts(user, h.engine.Heads(), v.mark(ListFeed), v.mark(ListNotifications))
	if want.V = r.Counts.V; r.Counts != want {
		h.failf("%s: replied %s, the facts say %s", user, printCounts(r.Counts), printCounts(want))
	}
	sum := uint32(0)
	for _, c := range r.Chats {
		sum += c.Unread
	}
	if r.Chats != nil && sum != want.Messages {
		h.failf("%s: conversations have %v unread, the facts say %d", user, r.Chats, want.Messages)
	}
}

func (h *host) commitMark(failed bool) {
	if len(h.saves) == 0 {
		return
	}
	i := h.choose.intn(len(h.saves))
	save := h.saves[i]
	h.saves = slices.Delete(h.saves, i, i+1)
	in := MarkSavedInput{Token: save.Token, Mark: save.Mark}
	if failed {
		in.Err = Refuse(Unavailable, "no storage")
	} else {
		mark := markOf{save.Mark.User, save.Mark.List}
		h.marks[mark] = max(h.marks[mark], save.Mark.Upto)
	}
	h.saved = append(h.saved, in)
}

func (h *host) tellSaved() {
	if len(h.saved) == 0 {
		return
	}
	i := h.choose.intn(len(h.saved))
	in := h.saved[i]
	h.saved = slices.Delete(h.saved, i, i+1)
	if in.Err == nil {
		mark := markOf{in.Mark.User, in.Mark.List}
		h.told[mark] = max(h.told[mark], in.Mark.Upto)
	}
	h.step(in)
}

// step steps the engine, does what its effects say, and checks everything. It
// returns the number of effects.
func (h *host) step(in Input) int {
	h.note("[%d] %s", h.shard, printInput(in))
	h.inputs = append(h.inputs, timed{now: h.clock, in: in})
	effects := h.stepEngine(in)
	h.digests = append(h.digests, digest(effects))
	for _, effect := range effects {
		h.note("        %s", printEffect(effect))
		h.take(effect)
		if _, live := in.(LogInput); !live {
			h.checkReplay(effect)
		}
	}
	if err := h.engine.Check(); err != nil {
		h.failf("Check: %v", err)
	}
	h.checkViews()
	return len(effects)
}

// stepEngine steps events of logs as hosts do: checkPure shows that Step has the
// same outcome.
func (h *host) stepEngine(in Input) []Effect {
	if log, ok := in.(LogInput); ok {
		return h.engine.StepLog(h.clock, log)
	}
	return h.engine.Step(h.clock, in)
}

func digest(effects []Effect) uint64 {
	var sum maphash.Hash
	sum.SetSeed(digestSeed)
	for _, effect := range effects {
		sum.WriteString(printEffect(effect))
	}
	return sum.Sum64()
}

func (h *host) take(effect Effect) {
	switch e := effect.(type) {
	case Deliver:
		for _, r := range e.To {
			d := h.device(e.Gateway, r.Session)
			if d.deaf {
				continue
			}
			if err := d.delivered(e.Event, r); err != nil {
				h.failf("%v: %v", d, err)
			}
			if e.Event != nil {
				h.checkShown(d, e.Event)
			}
		}
	case SendReset:
		d := h.device(e.Gateway, e.Session)
		if d.deaf {
			break
		}
		if e.Reason != Rejoined {
			h.resets[d]++
		}
		if err := d.reset(e.Reset, h.engine.Heads()); err != nil {
			h.failf("%v: %v", d, err)
		}
	case Reply:
		do := h.replies[e.Token]
		if do == nil {
			h.failf("a second reply to %d, or to nobody", e.Token)
		}
		delete(h.replies, e.Token)
		do(e.Result)
	case Load:
		h.asked = append(h.asked, e.LoadUser)
	case SaveMark:
		h.saves = append(h.saves, e)
	case Audited:
		if e.Drift {
			h.failf("drift: %s", printEffect(e))
		}
	}
}

// checkShown: nobody is shown what is hidden or withdrawn by now, or not theirs.
func (h *host) checkShown(d *device, ev *Event) {
	heads := h.engine.Heads()
	posts, messages := h.hiddenFrom(d.user, heads)
	ok := true
	switch ev.Kind {
	case KindPost, KindPostEdited, KindPostDeleted:
		ok = !posts[ev.Actor]
	case KindNote:
		n := ev.Fact.(*Note)
		i := slices.IndexFunc(h.notes(d.user, heads, 0), func(r row) bool { return r.ID == n.ID })
		ok = i >= 0 && !posts[n.Actor] && !slices.ContainsFunc(n.Others, func(u string) bool { return posts[u] })
	case KindMessage:
		ok = !messages[ev.Actor] && slices.Contains(ev.Users, d.user)
	case KindReceipt:
		ok = !messages[ev.Actor]
	case KindHidden:
		ok = ev.Actor != d.user
	}
	if !ok {
		h.failf("%v: is shown %s", d, printEvent(ev))
	}
}

// checkReplay: what was withdrawn is not replayed.
func (h *host) checkReplay(effect Effect) {
	e, ok := effect.(Deliver)
	if !ok || e.Event == nil || e.Event.Kind != KindPost {
		return
	}
	d, ev := h.device(e.Gateway, e.To[0].Session), e.Event
	follows := func(f Edge) bool { return f.Author == ev.Actor }
	switch {
	case !slices.Contains(h.posts(ev.Actor, h.engine.Heads(), 0), ev):
		h.failf("%v: %s is replayed, though it was deleted", d, printEvent(ev))
	case ev.Actor != d.user && !slices.ContainsFunc(h.follows(d.user, h.engine.Heads()), follows):
		h.failf("%v: %s is replayed, though its author is not followed", d, printEvent(ev))
	}
}

func (h *host) device(g GatewayID, session SessionID) *device {
	for _, d := range h.devices {
		if d.gateway == g && d.session == session && h.home(d.user) == h {
			return d
		}
	}
	h.failf("delivery to session %d of gateway %d, which is not attached", session, g)
	return nil
}

// checkViews recounts every live view from the facts, and holds what the
// devices show against the views.
func (h *host) checkViews() {
	for _, user := range h.users {
		s, ok := h.engine.users[user]
		if !ok || h.engine.at(s).phase != phaseLive {
			continue
		}
		v := h.engine.at(s)
		for _, list := range marked {
			at := markOf{user, list}
			if mark := v.mark(list); mark < h.told[at] || mark > h.marks[at] {
				h.failf("%s: mark %s of %s, told %s, durable %s", user, printID(mark), list, printID(h.told[at]), printID(h.marks[at]))
			}
		}
		h.checkSocial(user, v)
		want := h.unread(user, h.engine.Heads(), v.feed.mark)
		if !v.feed.stale && int(v.feed.total()) != len(want) {
			h.failf("%s: %d unread, the facts say %d", user, v.feed.total(), len(want))
		}
		for i, u := range v.feed.kept {
			if w := want[max(0, len(want)-len(v.feed.kept)+i)]; !v.feed.stale && w.ID != u.id {
				h.failf("%s: keeps unread %s, the facts say %s", user, printID(u.id), printID(w.ID))
			}
		}
		for _, d := range h.devices {
			if d.user == user && d.session != 0 && !d.waiting && !d.deaf && (d.stream != v.stream || d.counts != v.counts()) {
				h.failf("%v: shows %s, the view %s", d, printCounts(d.counts), printCounts(v.counts()))
			}
		}
	}
}

// checkSocial is the part of checkViews beside the feed.
func (h *host) checkSocial(user string, v *view) {
	heads := h.engine.Heads()
	if want := h.hides(user, heads); !slices.Equal(v.hides().list(), want) {
		h.failf("%s: hides %v, the facts say %v", user, v.hides().list(), want)
	}
	if name, ok := h.engine.Name(user); !ok || name != h.displayName(user, heads) {
		h.failf("%s: is named %q, the facts say %q", user, name, h.displayName(user, heads))
	}
	notes, chats := h.notes(user, heads, v.mark(ListNotifications)), h.chats(user, heads)
	m := v.social
	if m == nil {
		if len(notes)+len(chats) > 0 {
			h.failf("%s: has nothing, the facts say %v and %v", user, notes, chats)
		}
		return
	}
	if !m.notes.stale {
		if int(m.notes.total()) != len(notes) {
			h.failf("%s: %d notes, the facts say %d", user, m.notes.total(), len(notes))
		}
		for i, u := range m.notes.kept {
			if w := notes[len(notes)-len(m.notes.kept)+i]; w.ID != u.id {
				h.failf("%s: keeps note %s, the facts say %s", user, printID(u.id), printID(w.ID))
			}
		}
	}
	if m.chats.stale {
		return
	}
	if len(m.chats.list) != len(chats) {
		h.failf("%s: %v are unread, the facts say %v", user, m.chats.unread(), chats)
	}
	for i := range m.chats.list {
		c := &m.chats.list[i]
		ids := chats[c.conversation]
		if int(c.counter.total()) != len(ids) {
			h.failf("%s: %d unread in %s, the facts say %d", user, c.counter.total(), printID(c.conversation), len(ids))
		}
		for j, u := range c.kept {
			if id := ids[len(ids)-len(c.kept)+j]; id != u.id {
				h.failf("%s: keeps message %s, the facts say %s", user, printID(u.id), printID(id))
			}
		}
	}
	for c, upto := range h.reads(user, heads) {
		if upto > m.chats.top {
			h.failf("%s: mark %s of %s is above %s", user, printID(upto), printID(c), printID(m.chats.top))
		}
	}
}

// settle lets everything arrive.
func (s *sim) settle() {
	s.settling = true
	for shard := range s.pending {
		for len(s.pending[shard]) > 0 {
			s.commitNext(shard)
		}
	}
	for _, h := range s.hosts {
		for shard := range s.logs {
			for int(h.engine.Heads()[shard].Seq) < len(s.logs[shard]) {
				h.stepLog(shard)
			}
		}
	}
	for _, h := range s.hosts {
		for g := range s.session {
			h.rejoin(GatewayID(g), false)
		}
	}
	for _, d := range s.devices {
		if d.session == 0 {
			s.toggle(d)
		}
	}
	s.finish()
	for _, d := range s.devices {
		s.setState(d, false)
	}
	s.finish()
}

// finish carries out what the engines have asked for until they ask no more.
func (s *sim) finish() {
	for _, h := range s.hosts {
		for round := 0; ; round++ {
			s.clock += patience + 1
			h.step(EvictInput{Before: 0}) // asks again for loads that failed
			if len(h.asked)+len(h.taken)+len(h.saves)+len(h.saved) == 0 {
				break
			}
			if round > 50 {
				h.failf("never comes to rest: %d loads asked, %d marks to save", len(h.asked), len(h.saves))
			}
			h.takeSnapshot(false)
			h.arrive(false)
			h.commitMark(false)
			h.tellSaved()
		}
	}
}

// checkEnd holds everything against the facts at rest, and lets all go.
func (s *sim) checkEnd() {
	heads := s.heads()
	for _, h := range s.hosts {
		if len(h.replies) > 0 {
			s.failf("%d requests of shard %d were never answered", len(h.replies), h.shard)
		}
		if !slices.EqualFunc(h.engine.Heads(), heads, func(a, b Head) bool { return a.Seq == b.Seq }) {
			s.failf("shard %d has applied %v of %v", h.shard, h.engine.Heads(), heads)
		}
	}
	for _, d := range s.devices {
		if d.session == 0 { // its load had failed
			continue
		}
		want := s.counts(d.user, heads, s.marks[markOf{d.user, ListFeed}], s.marks[markOf{d.user, ListNotifications}])
		if want.V = d.counts.V; d.counts != want {
			s.failf("%v: shows %s, the facts say %s", d, printCounts(d.counts), printCounts(want))
		}
		if err := d.complete(s.facts); err != nil {
			s.failf("%v: %v", d, err)
		}
	}
	for _, h := range s.hosts {
		for range h.engine.used {
			h.step(AuditInput{})
		}
	}
	s.finish()
	for _, d := range s.devices {
		if d.session != 0 {
			s.toggle(d)
		}
	}
	for _, h := range s.hosts {
		h.step(EvictInput{Before: s.clock + 1})
		if st := h.engine.Stats(); st != (Stats{}) {
			s.failf("shard %d: left over: %+v", h.shard, st)
		}
		if len(h.engine.young) > 0 || h.engine.authors.live > 0 {
			s.failf("shard %d: %d young edges and %d authors left over", h.shard, len(h.engine.young), h.engine.authors.live)
		}
	}
}

// checkPure steps a second engine with the same inputs.
func (h *host) checkPure() {
	var second *Engine
	for i, in := range h.inputs {
		var got uint64
		switch {
		case in.make != nil:
			second, got = in.make(second)
		default:
			got = digest(second.Step(in.now, in.in))
		}
		if got != h.digests[i] {
			h.failf("step %d, %s, had other effects in a second run", i, printInput(in.in))
		}
	}
}
