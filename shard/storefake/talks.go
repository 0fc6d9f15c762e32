package storefake

import (
	"cmp"
	"maps"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// talk is a conversation.
type talk struct {
	id       feedengine.ID
	members  []string
	messages []*feedengine.Message // ascending
}

// seenBy names a member of a conversation.
type seenBy struct {
	talk feedengine.ID
	user string
}

// seen is how far the member has got and read it.
type seen struct{ got, read feedengine.ID }

func (f *facts) applyMessage(e *feedengine.Event, m *feedengine.Message) {
	t := f.talks[m.Conversation]
	if t == nil {
		t = &talk{id: m.Conversation, members: e.Users}
		f.talks[t.id] = t
		f.talkOf[feedengine.ConversationKey(e.Users)] = t.id
	}
	own := *m
	own.ID, own.From, own.Opens = e.ID, e.Actor, false
	t.messages = append(t.messages, &own)
}

func (f *facts) applySeen(user string, s *feedengine.Seen) {
	at := seenBy{s.Conversation, user}
	now := f.seen[at]
	now.got = max(now.got, s.Upto)
	if s.Read {
		now.read = max(now.read, s.Upto)
	}
	f.seen[at] = now
}

// of is a conversation that the user is a member of, or nil.
func (f *facts) of(user string, id feedengine.ID) *talk {
	if t := f.talks[id]; t != nil && slices.Contains(t.members, user) {
		return t
	}
	return nil
}

// shown are the messages that no block hides from the user, ascending.
func (f *facts) shown(user string, t *talk) (messages []*feedengine.Message) {
	for _, m := range t.messages {
		if !f.hidden(user, m.From, blocks) {
			messages = append(messages, m)
		}
	}
	return messages
}

// unreadIn are the messages by others that count for the user, ascending.
func (f *facts) unreadIn(user string, t *talk) (ids []feedengine.UnreadID) {
	mark := f.seen[seenBy{t.id, user}].read
	for _, m := range f.shown(user, t) {
		if m.From != user && m.ID > mark {
			ids = append(ids, feedengine.UnreadID{ID: m.ID})
		}
	}
	return ids
}

// talksOf are the user's conversations, in order of id.
func (f *facts) talksOf(user string) (all []*talk) {
	for _, id := range slices.Sorted(maps.Keys(f.talks)) {
		if t := f.of(user, id); t != nil {
			all = append(all, t)
		}
	}
	return all
}

func (f *facts) loadTalks(u *feedengine.LoadedUser, keep int) {
	for _, t := range f.talksOf(u.User) {
		chat := feedengine.LoadedChat{Conversation: t.id}
		chat.Mark = f.seen[seenBy{t.id, u.User}].read
		u.ChatTop = max(u.ChatTop, chat.Mark)
		ids := f.unreadIn(u.User, t)
		if len(ids) == 0 {
			continue
		}
		chat.Total = min(len(ids), feedengine.MaxUnread)
		chat.Unread = ids[max(0, len(ids)-keep):]
		u.Chats = append(u.Chats, chat)
	}
}

// talk answers a TalkAsk.
func (f *facts) talk(ask feedengine.TalkAsk) (t feedengine.Talk) {
	t.Name = f.profiles[ask.User].Name
	id, members := ask.ID, ask.Members
	if id == 0 {
		id = f.talkOf[feedengine.ConversationKey(ask.Members)]
	}
	there := f.of(ask.User, id)
	if there != nil {
		t.ID, t.Members, members = there.id, there.members, there.members
		is := f.seen[seenBy{there.id, ask.User}]
		t.Read, t.Got = is.read, max(is.read, is.got)
		t.Unread, t.Ungot = senders(ask, there, t.Read), senders(ask, there, t.Got)
		t.Replied = slices.ContainsFunc(f.shown(ask.User, there), func(m *feedengine.Message) bool { return m.ID == ask.Reply })
	} else if ask.ID != 0 {
		return t
	}
	for _, other := range members {
		if f.hidden(ask.User, other, blocks) {
			t.Blocked = append(t.Blocked, other)
		}
	}
	return t
}

// senders are whose messages above the mark and up to ask.Upto are new to the user.
func senders(ask feedengine.TalkAsk, t *talk, mark feedengine.ID) (users []string) {
	for _, m := range t.messages {
		if m.From != ask.User && m.ID > mark && m.ID <= ask.Upto && !slices.Contains(users, m.From) {
			users = append(users, m.From)
		}
	}
	slices.Sort(users)
	return users[:min(len(users), feedengine.MaxMembers)]
}

// conversations is a piece of the user's list, by the newest message of each.
func (f *facts) conversations(user string, before feedengine.ID, limit int) *feedengine.ConversationPage {
	var all []*feedengine.Conversation
	for _, t := range f.talksOf(user) {
		c := &feedengine.Conversation{ID: t.id, Members: t.members, Read: f.seen[seenBy{t.id, user}].read,
			Unread: uint32(min(len(f.unreadIn(user, t)), feedengine.MaxUnread))}
		if shown := f.shown(user, t); len(shown) > 0 {
			c.Last = shown[len(shown)-1]
		}
		if c.Last != nil && (before == 0 || c.Last.ID < before) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *feedengine.Conversation) int { return cmp.Compare(b.Last.ID, a.Last.ID) })
	page := &feedengine.ConversationPage{Conversations: all}
	if len(all) > limit {
		page.Conversations, page.Next = all[:limit], all[limit-1].Last.ID
	}
	return page
}
