package storefake

import (
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// Audit holds what events said in figures against what the events come to: likes of
// posts, notifications of likes, notifications about posts that are gone.
func (s *Store) Audit() error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	for id, p := range f.byID {
		if n := len(f.likes[id]); p.Likes != n {
			return fmt.Errorf("post %d says %d likes and has %d", id, p.Likes, n)
		}
		for user, l := range f.likes[id] {
			if _, stands := f.notes[p.Author][l.note]; !stands && l.note != 0 {
				return fmt.Errorf("%s likes post %d as a part of %d, which %s does not have", user, id, l.note, p.Author)
			}
		}
	}
	for user, notes := range f.notes {
		for id, n := range notes {
			switch {
			case n.post != 0 && f.byID[n.post] == nil:
				return fmt.Errorf("%s has the %s %d about post %d, which is gone", user, n.kind, id, n.post)
			case n.kind == feedengine.NoteLike && len(f.likers(n.post, id, func(string) bool { return true })) == 0:
				return fmt.Errorf("%s has the notification %d of no likes", user, id)
			}
		}
	}
	for _, t := range f.talks {
		if len(t.messages) == 0 || t.messages[0].ID != t.id || f.talkOf[feedengine.ConversationKey(t.members)] != t.id {
			return fmt.Errorf("conversation %d of %v is one of several, or lacks its beginning", t.id, t.members)
		}
		for i, m := range t.messages {
			if i > 0 && m.ID <= t.messages[i-1].ID || m.Reply >= m.ID {
				return fmt.Errorf("message %d of conversation %d is out of order", m.ID, t.id)
			}
		}
	}
	return nil
}

// Shown are the messages of all conversations that the user may see, in order of
// conversation and id.
func (s *Store) Shown(user string) (messages []*feedengine.Message) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, t := range s.db.facts.talksOf(user) {
		messages = append(messages, s.db.facts.shown(user, t)...)
	}
	return messages
}

// Told are the user's notifications as they are shown, newest first.
func (s *Store) Told(user string) []*feedengine.Note {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.notesOf(user)
}
