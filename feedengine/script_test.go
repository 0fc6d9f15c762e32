package feedengine

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestScripts runs the golden scripts. A script is a sequence of blocks: command
// lines, a line "----", and what they print, up to an empty line. The engine is
// that of shard 0; an id is written as the millisecond it was made in. Facts
// are committed to logs by post, delete, follow and unfollow, which apply them
// at once unless "commit" stands before; apply steps the engine later.
//
//	new [keep-tail=N] [keep-unread=N] 0=USERS 1=USERS …   which users live where
//	[commit] post USER @ID [xN]               N posts, the last one's effects
//	[commit] delete USER @POST @ID
//	[commit] follow|unfollow USER USERS @ID [notify]
//	[commit] post … [mention=USERS] [alerts=USERS]
//	[commit] edit USER @POST @ID
//	[commit] like USER OWNER @POST @ID [new]  or its end; new: no notification takes it in
//	[commit] comment USER OWNER @POST @ID [mention=USERS]
//	[commit] message USER TO @ID              in the log of the first member's shard
//	[commit] seen USER MEMBERS @UPTO @ID [got]
//	[commit] block|unblock|mute|unmute USER OTHER @ID
//	[commit] profile USER NAME @ID
//	apply LOG [lost]                          the next event of the log
//	attach USER sN [gN] [page=N] [resume=STREAM/N]
//	detach|background|active USER sN [gN]
//	sync USER sN [gN] N
//	counts USER
//	read USER @ID [clock=@ID] [notes]
//	mark USER @ID                             durable already
//	commit-mark, told                         the oldest SaveMark: durable; the engine told
//	saved [fail]                              both
//	load USERS [at=SEQ,SEQ…] [fail]           a snapshot that arrives at once
//	snapshot NAME USERS [at=…], arrive NAME   one that arrives later
//	audit; plant USER                         a recount; lose an unread post
//	evict [before=MS] [extra=N]; rebuild [at=…] [history]; now MS
//	lose LOG SEQ                              the log comes back without what is above
//	straggler USER SEQ @ID                    a post of epoch 1, whatever the log says
//	rejoin gN [whole] USER/sN/STREAM/N/V[/background]…
//	gone gN                                   the gateway
//	retire, move                              the latter: what Export says goes on in a new engine
//	view USER; stats
func TestScripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	s := &script{t: t, out: &got}
	expected := false
	for i, line := range strings.Split(strings.TrimSuffix(string(want), "\n"), "\n") {
		switch {
		case line == "----":
			expected = true
			fmt.Fprintf(&got, "----\n%s", s.printed.String())
			s.printed.Reset()
		case line == "":
			expected = false
			got.WriteString("\n")
		case expected:
		default:
			got.WriteString(line + "\n")
			s.where = fmt.Sprintf("%s:%d: %s", file, i+1, line)
			if !strings.HasPrefix(line, "#") {
				s.command(line)
			}
		}
	}
	switch {
	case bytes.Equal(got.Bytes(), want):
	case *update:
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
		for i := range g {
			if i >= len(w) || g[i] != w[i] {
				t.Fatalf("%s:%d:\n got %s\nwant %s\nin:\n%s", file, i+1, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""), got.String())
			}
		}
		t.Fatalf("%s: output ends early", file)
	}
}

// script is the world of one golden script.
type script struct {
	t       *testing.T
	out     *bytes.Buffer
	printed bytes.Buffer
	where   string

	*facts
	users     []string
	engine    *Engine
	now       int64
	token     Token
	stepped   []*Event
	asked     map[string]int // page asked for
	saves     []SaveMark
	told      []SaveMark
	snapshots map[string]LoadedInput
}

func (s *script) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s", s.where, fmt.Sprintf(format, args...))
}

// arguments are a command's words and its name=value options.
type arguments struct {
	*script
	words []string
	named map[string]string
}

func (a *arguments) word() string {
	if len(a.words) == 0 {
		a.fatalf("a word is missing")
	}
	w := a.words[0]
	a.words = a.words[1:]
	return w
}

func (a *arguments) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		a.fatalf("%v", err)
	}
	return n
}

// id reads @MS, as an id of the shard.
func (a *arguments) id(s string, shard ShardID) ID {
	return (Tick(a.number(strings.TrimPrefix(s, "@"))) << counterBits).ID(shard)
}

func (a *arguments) option(name string, otherwise int) int {
	if s, ok := a.named[name]; ok {
		return a.number(s)
	}
	return otherwise
}

func (a *arguments) flag(name string) bool {
	i := slices.Index(a.words, name)
	if i >= 0 {
		a.words = slices.Delete(a.words, i, i+1)
	}
	return i >= 0
}

// prefixed takes out a word such as s12.
func (a *arguments) prefixed(prefix string, otherwise int) int {
	for i, w := range a.words {
		if n, err := strconv.Atoi(strings.TrimPrefix(w, prefix)); err == nil && strings.HasPrefix(w, prefix) {
			a.words = slices.Delete(a.words, i, i+1)
			return n
		}
	}
	return otherwise
}

func (a *arguments) at() []Head {
	list, ok := a.named["at"]
	if !ok {
		return a.heads()
	}
	var seqs []uint64
	for _, s := range strings.Split(list, ",") {
		seqs = append(seqs, uint64(a.number(s)))
	}
	return a.headsAt(seqs)
}

func (s *script) command(line string) {
	a := &arguments{script: s, named: map[string]string{}}
	for _, w := range strings.Fields(line) {
		if name, value, ok := strings.Cut(w, "="); ok {
			a.named[name] = value
		} else {
			a.words = append(a.words, w)
		}
	}
	s.token++
	switch op := a.word(); op {
	case "new":
		s.open(a)
	case "commit":
		s.fact(a, a.word(), false)
	case "post", "delete", "follow", "unfollow", "edit", "like", "comment", "message", "seen", "block", "unblock", "mute", "unmute", "profile":
		s.fact(a, op, true)
	case "apply":
		s.apply(a.number(a.word()), a.flag("lost"))
	case "attach":
		s.attach(a)
	case "detach":
		s.step(DetachInput{Token: s.token, User: a.word(), Gateway: GatewayID(a.prefixed("g", 1)), Session: SessionID(a.prefixed("s", 0))})
	case "background", "active":
		s.step(StateInput{Token: s.token, User: a.word(), Gateway: GatewayID(a.prefixed("g", 1)), Session: SessionID(a.prefixed("s", 0)), Background: op == "background"})
	case "sync":
		s.step(SyncInput{Token: s.token, User: a.word(), Gateway: GatewayID(a.prefixed("g", 1)), Session: SessionID(a.prefixed("s", 0)), N: uint64(a.number(a.word()))})
	case "counts":
		s.step(CountsInput{Token: s.token, User: a.word()})
	case "read":
		in := ReadInput{Token: s.token, User: a.word(), List: ListFeed, Clock: MaxID}
		if a.flag("notes") {
			in.List = ListNotifications
		}
		in.Upto = a.id(a.word(), MaxShards-1)
		if clock, ok := a.named["clock"]; ok {
			in.Clock = a.id(clock, MaxShards-1)
		}
		s.step(in)
	case "mark":
		s.marks[markOf{a.word(), ListFeed}] = a.id(a.word(), MaxShards-1)
	case "commit-mark", "told", "saved":
		s.mark(op, a.flag("fail"))
	case "load":
		in := s.snapshot(strings.Split(a.word(), ","), a.at())
		s.arrive(in, a.flag("fail"))
	case "snapshot":
		s.snapshots[a.word()] = s.snapshot(strings.Split(a.word(), ","), a.at())
	case "arrive":
		s.arrive(s.snapshots[a.word()], a.flag("fail"))
	case "audit":
		s.step(AuditInput{})
	case "plant":
		c := &s.engine.at(s.engine.users[a.word()]).feed
		c.kept = slices.Delete(c.kept, 0, 1)
	case "evict":
		s.step(EvictInput{Before: int64(a.option("before", 0)), Extra: a.option("extra", 0)})
	case "rebuild":
		in := RebuildInput{Reason: ResetViewRebuilt}
		if _, ok := a.named["at"]; ok {
			in.Heads = a.at()
		}
		if a.flag("history") {
			in.Reason = ResetHistoryLost
		}
		s.step(in)
	case "lose":
		s.lose(ShardID(a.number(a.word())), uint64(a.number(a.word())))
	case "straggler":
		author, seq := a.word(), uint64(a.number(a.word()))
		ev := &Event{Shard: s.shardOf(author), Epoch: 1, Seq: seq, Kind: KindPost, Actor: author}
		ev.ID = a.id(a.word(), ev.Shard)
		s.step(LogInput{Event: ev})
	case "rejoin":
		s.rejoin(a)
	case "gone":
		s.step(GatewayGoneInput{GatewayID(a.prefixed("g", 1))})
	case "retire":
		s.step(RetireInput{})
	case "move":
		s.move()
	case "now":
		s.now = int64(a.number(a.word()))
	case "view":
		s.view(a.word())
	case "stats":
		fmt.Fprintf(&s.printed, "%+v young=%d\n", s.engine.Stats(), len(s.engine.young))
	default:
		s.fatalf("no such command")
	}
	if len(a.words) > 0 {
		s.fatalf("not understood: %v", a.words)
	}
}

func (s *script) open(a *arguments) {
	homes := map[string]ShardID{}
	s.users = nil
	shards := 1
	for name, users := range a.named {
		if shard, err := strconv.Atoi(name); err == nil {
			shards = max(shards, shard+1)
			for _, user := range strings.Split(users, ",") {
				homes[user] = ShardID(shard)
				s.users = append(s.users, user)
			}
		}
	}
	s.facts = newFacts(shards, func(user string) ShardID { return homes[user] })
	s.now, s.stepped, s.saves, s.told = 0, nil, nil, nil
	s.asked, s.snapshots = map[string]int{}, map[string]LoadedInput{}
	s.engine = New(Options{
		ShardOf: s.shardOf, Heads: make([]Head, shards), FirstStream: 1,
		KeepTail: a.option("keep-tail", 0), KeepUnread: a.option("keep-unread", 0),
	})
}

func (s *script) fact(a *arguments, op string, apply bool) {
	ev := &Event{Actor: a.word()}
	ev.Shard = s.shardOf(ev.Actor)
	mentioned := func(name string) []string {
		if users, ok := a.named[name]; ok {
			return strings.Split(users, ",")
		}
		return nil
	}
	var decide func()
	switch op {
	case "post":
		ev.Kind, ev.Users = KindPost, mentioned("mention")
	case "edit":
		ev.Kind, ev.Post = KindPostEdited, &Post{ID: a.id(a.word(), ev.Shard), Author: ev.Actor, Kind: "post"}
	case "delete":
		ev.Kind, ev.Target = KindPostDeleted, a.id(a.word(), ev.Shard)
		s.decideDelete(ev, s.users)
	case "follow":
		ev.Kind, ev.Users = KindFollow, strings.Split(a.word(), ",")
		if a.flag("notify") {
			ev.Fact = &Following{Notify: true}
		}
	case "unfollow":
		ev.Kind, ev.Users = KindUnfollow, strings.Split(a.word(), ",")
		s.decideUnfollow(ev)
	case "like":
		owner, window := a.word(), !a.flag("new")
		post := a.id(a.word(), s.shardOf(owner))
		decide = func() { s.decideLike(ev, post, owner, window) }
		ev.Shard = post.Shard()
	case "comment":
		owner := a.word()
		post := a.id(a.word(), s.shardOf(owner))
		ev.Kind, ev.Shard, ev.Fact, ev.Users = KindComment, post.Shard(), &Comment{Post: post, Owner: owner}, mentioned("mention")
	case "message":
		to := strings.Split(a.word(), ",")
		ev.Shard = s.shardOf(ConversationMembers(ev.Actor, to)[0])
		decide = func() { s.decideMessage(ev, to) }
	case "seen":
		members := ConversationMembers(ev.Actor, strings.Split(a.word(), ","))
		seen := &Seen{Read: !a.flag("got")}
		for _, m := range s.messages(ev.Actor, s.heads()) {
			if slices.Equal(m.Users, members) {
				seen.Conversation = m.Fact.(*Message).Conversation
			}
		}
		seen.Upto = a.id(a.word(), seen.Conversation.Shard())
		ev.Kind, ev.Fact, ev.Users = KindSeen, seen, others(members, ev.Actor)
	case "block", "unblock", "mute", "unmute":
		ev.Kind = KindBlock + EventKind(slices.Index([]string{"block", "unblock", "mute", "unmute"}, op))
		ev.Users = []string{a.word()}
	case "profile":
		ev.Kind, ev.Fact = KindProfile, &Profile{Name: a.word()}
	default:
		s.fatalf("no such fact")
	}
	ev.ID = a.id(a.word(), ev.Shard)
	if decide != nil {
		decide()
	}
	n := a.prefixed("x", 1)
	for i := range n {
		next := *ev
		next.ID += ID(i) << tickBits
		if ev.Kind == KindPost {
			next.Post = &Post{ID: next.ID, Author: ev.Actor, Kind: "post"}
			if alerts := mentioned("alerts"); alerts != nil {
				next.Post.Kind, next.Post.More = KindOfJob, &More{Job: &Job{Title: "x"}, Alerts: alerts}
			}
		}
		s.commit(&next)
		if apply {
			before := s.printed.Len()
			s.apply(int(ev.Shard), false)
			if i < n-1 {
				s.printed.Truncate(before)
			}
		}
	}
}

func (s *script) apply(log int, lost bool) {
	next := s.engine.Heads()[log].Seq
	if int(next) >= len(s.logs[log]) {
		s.fatalf("there is no such event")
	}
	ev := s.logs[log][next]
	in := LogInput{Event: ev, PassedLost: lost}
	if ev.Kind == KindFollow && !lost && ev.Shard == s.engine.opts.Shard {
		in.Passed = passed(ev, s.stepped)
	}
	s.stepped = append(s.stepped, ev)
	s.step(in)
}

func (s *script) attach(a *arguments) {
	in := AttachInput{Token: s.token, User: a.word(), Page: a.option("page", 0)}
	in.Session, in.Gateway = SessionID(a.prefixed("s", 0)), GatewayID(a.prefixed("g", 1))
	if resume, ok := a.named["resume"]; ok {
		stream, n, _ := strings.Cut(resume, "/")
		id, ok := ParseStreamID(stream)
		if !ok {
			s.fatalf("no stream")
		}
		in.Resume = &Resume{id, uint64(a.number(n))}
	}
	s.step(in)
}

func (s *script) rejoin(a *arguments) {
	in := RejoinInput{Gateway: GatewayID(a.prefixed("g", 1)), Whole: a.flag("whole")}
	for len(a.words) > 0 {
		part := strings.Split(a.word(), "/")
		if len(part) < 5 {
			a.fatalf("not a session")
		}
		stream, _ := ParseStreamID(part[2])
		in.Sessions = append(in.Sessions, Rejoin{
			User: part[0], Session: SessionID(a.number(strings.TrimPrefix(part[1], "s"))), Stream: stream,
			N: uint64(a.number(part[3])), V: uint64(a.number(part[4])), Background: len(part) > 5,
		})
	}
	s.step(in)
}

// move hands the shard to another engine, as bytes.
func (s *script) move() {
	h, err := DecodeHandover(EncodeHandover(s.engine.Export()))
	if err != nil {
		s.fatalf("%v", err)
	}
	s.engine = Import(s.engine.opts, h, s.now)
	clear(s.asked)
	for _, v := range h.Views {
		fmt.Fprintf(&s.printed, "%s moves\n", v.User)
	}
	if err := s.engine.Check(); err != nil {
		s.fatalf("Check: %v", err)
	}
}

func (s *script) snapshot(users []string, heads []Head) LoadedInput {
	in := LoadedInput{Heads: heads}
	for _, user := range users {
		in.Users = append(in.Users, s.load(LoadUser{user, s.asked[user]}, heads, s.engine.opts.KeepUnread))
	}
	return in
}

func (s *script) arrive(in LoadedInput, fail bool) {
	if fail {
		in.Err = Refuse(Unavailable, "no storage")
	}
	in.Missed = s.between(in.Heads, s.engine.Heads(), func(int) int { return 0 })
	s.step(in)
}

func (s *script) mark(op string, fail bool) {
	if op != "told" {
		save := s.saves[0]
		s.saves, s.told = s.saves[1:], append(s.told, save)
		if !fail {
			mark := markOf{save.Mark.User, save.Mark.List}
			s.marks[mark] = max(s.marks[mark], save.Mark.Upto)
		}
	}
	if op != "commit-mark" {
		in := MarkSavedInput{Token: s.told[0].Token, Mark: s.told[0].Mark}
		s.told = s.told[1:]
		if fail {
			in.Err = Refuse(Unavailable, "no storage")
		}
		s.step(in)
	}
}

func (s *script) view(user string) {
	at, ok := s.engine.users[user]
	if !ok {
		fmt.Fprintf(&s.printed, "%s is not resident\n", user)
		return
	}
	v := s.engine.at(at)
	phase := map[phase]string{phaseLoading: "loading", phaseLive: "live"}[v.phase]
	fmt.Fprintf(&s.printed, "%s %s stream=%s n=%d tail=%d", user, phase, v.stream, v.n, len(v.tail))
	c := &v.feed
	fmt.Fprintf(&s.printed, " mark=%s kept=%d below=%d", printID(c.mark), len(c.kept), c.below)
	if c.more {
		s.printed.WriteString(" or-more")
	}
	if c.stale {
		s.printed.WriteString(" stale")
	}
	var names []string
	for _, f := range v.follows {
		names = append(names, string(s.engine.authors.name(f)))
	}
	fmt.Fprintf(&s.printed, " follows=[%s]", strings.Join(names, " "))
	if m := v.social; m != nil {
		fmt.Fprintf(&s.printed, " name=%q hides=%v notes(mark=%s kept=%d below=%d", m.name, m.hides.list(), printID(m.notes.mark), len(m.notes.kept), m.notes.below)
		if m.notes.stale {
			s.printed.WriteString(" stale")
		}
		fmt.Fprintf(&s.printed, ") chats(%d top=%s", len(m.chats.list), printID(m.chats.top))
		if m.chats.stale {
			s.printed.WriteString(" stale")
		}
		s.printed.WriteString(")")
	}
	s.printed.WriteString("\n")
}

func (s *script) step(in Input) {
	for _, effect := range s.engine.Step(s.now, in) {
		switch e := effect.(type) {
		case Load:
			s.asked[e.User] = e.Page
		case SaveMark:
			s.saves = append(s.saves, e)
		case Reply:
			fmt.Fprintf(&s.printed, "reply: %s\n", printResult(e.Result))
			continue
		}
		fmt.Fprintln(&s.printed, printEffect(effect))
	}
	if err := s.engine.Check(); err != nil {
		s.fatalf("Check: %v", err)
	}
}
