package feedengine

import (
	"fmt"
	"strings"
)

// Effects as one line of text each: what the golden scripts show, what two runs
// are compared by, and what a failing seed prints.

func printID(id ID) string {
	t := id.Tick()
	if c := t & (1<<counterBits - 1); c != 0 {
		return fmt.Sprintf("@%d.%d", t.millis(), c)
	}
	return fmt.Sprintf("@%d", t.millis())
}

func printEvent(ev *Event) string {
	if ev == nil {
		return "counts"
	}
	switch ev.Kind {
	case KindPost:
		return fmt.Sprintf("post %s by %s", printID(ev.ID), ev.Actor)
	case KindPostDeleted:
		return fmt.Sprintf("deleted %s by %s", printID(ev.Target), ev.Actor)
	case KindFollow:
		return fmt.Sprintf("follow %s by %s of %s", printID(ev.ID), ev.Actor, strings.Join(ev.Users, ","))
	case KindUnfollow:
		return fmt.Sprintf("unfollow %s by %s of %s", printID(ev.ID), ev.Actor, strings.Join(ev.Users, ","))
	case KindPostEdited:
		return fmt.Sprintf("edited %s by %s", printID(ev.Post.ID), ev.Actor)
	case KindLike, KindUnlike:
		like := ev.Fact.(*Like)
		return fmt.Sprintf("%s of %s by %s note %s edge %v count %d %v", map[EventKind]string{KindLike: "like", KindUnlike: "unlike"}[ev.Kind],
			printID(like.Post), ev.Actor, printID(like.Note), like.Edge, like.Count, like.Others)
	case KindComment:
		return fmt.Sprintf("comment %s on %s by %s mentions %v", printID(ev.ID), printID(ev.Fact.(*Comment).Post), ev.Actor, ev.Users)
	case KindMessage:
		return fmt.Sprintf("message %s in %s by %s", printID(ev.ID), printID(ev.Fact.(*Message).Conversation), ev.Actor)
	case KindSeen, KindReceipt:
		seen := ev.Fact.(*Seen)
		return fmt.Sprintf("%s of %s by %s up to %s read %v", map[EventKind]string{KindSeen: "seen", KindReceipt: "receipt"}[ev.Kind],
			printID(seen.Conversation), ev.Actor, printID(seen.Upto), seen.Read)
	case KindBlock, KindUnblock, KindMute, KindUnmute:
		return fmt.Sprintf("%s by %s of %s", [...]string{"block", "unblock", "mute", "unmute"}[ev.Kind-KindBlock], ev.Actor, ev.Users[0])
	case KindProfile:
		return fmt.Sprintf("profile of %s: %q", ev.Actor, ev.Fact.(*Profile).Name)
	case KindNote:
		n := ev.Fact.(*Note)
		s := fmt.Sprintf("note %s %s by %s", printID(n.ID), n.Kind, n.Actor)
		if n.Kind == NoteLike {
			s += fmt.Sprintf(" count %d %v", n.Count, n.Others)
		}
		return s
	case KindNoteGone:
		return "note gone " + printID(ev.Target)
	case KindHidden:
		return "hidden " + ev.Actor
	case KindShown:
		return "shown " + ev.Actor
	case KindRead:
		if ev.List != ListFeed {
			s := fmt.Sprintf("read %s up to %s", ev.List, printID(ev.Target))
			if seen, ok := ev.Fact.(*Seen); ok {
				s += " in " + printID(seen.Conversation)
			}
			return s
		}
		return fmt.Sprintf("read up to %s", printID(ev.Target))
	case KindVoid:
		return "void"
	}
	return fmt.Sprintf("kind %d", ev.Kind)
}

func printCounts(c Counts) string {
	s := fmt.Sprintf("unread=%d", c.Feed)
	if c.Notifications > 0 {
		s += fmt.Sprintf(" notes=%d", c.Notifications)
	}
	if c.Messages > 0 {
		s += fmt.Sprintf(" messages=%d", c.Messages)
	}
	return fmt.Sprintf("%s v=%d", s, c.V)
}

func printPage(p *Page) string {
	var ids []string
	for _, post := range p.Posts {
		ids = append(ids, printID(post.ID))
	}
	s := "page=[" + strings.Join(ids, " ") + "]"
	if p.Next != 0 {
		s += " next=" + printID(p.Next)
	}
	return s
}

// printResult shows a result; the zero one is "ok".
func printResult(r Result) string {
	var b strings.Builder
	if r.Err != nil {
		return "refused: " + r.Err.Error()
	}
	if r.Stream == 0 {
		return "ok"
	}
	fmt.Fprintf(&b, "stream=%s n=%d %s", r.Stream, r.N, printCounts(r.Counts))
	if r.Resumed {
		fmt.Fprintf(&b, " resumed replay=%d", r.Replay)
	}
	if r.Upto != 0 {
		fmt.Fprintf(&b, " upto=%s", printID(r.Upto))
	}
	for _, c := range r.Chats {
		fmt.Fprintf(&b, " %s:%d", printID(c.Conversation), c.Unread)
	}
	if r.Page != nil {
		b.WriteString(" " + printPage(r.Page))
	}
	return b.String()
}

// printSocial shows the counters beside the feed's, if there is anything.
func printSocial(c Counts) string {
	if c.Notifications+c.Messages == 0 {
		return ""
	}
	return fmt.Sprintf(" notes %d messages %d", c.Notifications, c.Messages)
}

func printEffect(effect Effect) string {
	switch e := effect.(type) {
	case Deliver:
		s := fmt.Sprintf("g%d %s ->", e.Gateway, printEvent(e.Event))
		for _, r := range e.To {
			s += fmt.Sprintf(" s%d(", r.Session)
			if e.Event != nil {
				s += fmt.Sprintf("n=%d ", r.N)
			}
			s += printCounts(r.Counts) + ")"
		}
		return s
	case SendReset:
		return fmt.Sprintf("g%d reset %s -> s%d(stream=%s n=%d %s)", e.Gateway, e.Reason, e.Session, e.Stream, e.N, printCounts(e.Counts))
	case Reply:
		return fmt.Sprintf("reply %d: %s", e.Token, printResult(e.Result))
	case Load:
		if e.Page > 0 {
			return fmt.Sprintf("load %s page=%d", e.User, e.Page)
		}
		return "load " + e.User
	case SaveMark:
		if e.Mark.List != ListFeed {
			return fmt.Sprintf("save mark %s of %s's %s", printID(e.Mark.Upto), e.Mark.User, e.Mark.List)
		}
		return fmt.Sprintf("save mark %s of %s", printID(e.Mark.Upto), e.Mark.User)
	case Audited:
		if e.Drift {
			return fmt.Sprintf("audited %s: DRIFT view %d facts %d", e.User, e.View.Feed, e.Facts.Feed) + printSocial(e.View) + printSocial(e.Facts)
		}
		return fmt.Sprintf("audited %s: %d", e.User, e.Facts.Feed) + printSocial(e.Facts)
	case Gap:
		return fmt.Sprintf("gap in log %d after %d", e.Shard, e.Applied)
	}
	return fmt.Sprintf("%T", effect)
}

func printInput(in Input) string {
	switch in := in.(type) {
	case LogInput:
		s := fmt.Sprintf("log %d/%d %s", in.Event.Shard, in.Event.Seq, printEvent(in.Event))
		for _, p := range in.Passed {
			s += fmt.Sprintf(" passed %d/%d", p.Shard, p.Seq)
		}
		if in.PassedLost {
			s += " passed lost"
		}
		return s
	case LoadedInput:
		s := "loaded at"
		for _, h := range in.Heads {
			s += fmt.Sprintf(" %d", h.Seq)
		}
		for _, u := range in.Users {
			s += fmt.Sprintf(" %s(mark %s total %d notes %s %d chats %v top %s hides %v)", u.User, printID(u.Feed.Mark), u.Feed.Total,
				printID(u.Notes.Mark), u.Notes.Total, u.Chats, printID(u.ChatTop), u.Hides)
		}
		for _, m := range in.Missed {
			s += fmt.Sprintf(" missed %d/%d", m.Shard, m.Seq)
		}
		return s
	case AttachInput:
		s := fmt.Sprintf("attach %s s%d page=%d", in.User, in.Session, in.Page)
		if in.Resume != nil {
			s += fmt.Sprintf(" resume=%s/%d", in.Resume.Stream, in.Resume.N)
		}
		return s
	default:
		return fmt.Sprintf("%T%+v", in, in)
	}
}
