package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// body is what a log row holds of an event beside its columns: JSON, with the
// fields that the event's kind needs. What a column already says is left out.
// Names never change their meaning; new kinds add theirs.
type body struct {
	PostID   feedengine.ID `json:"id,omitempty"`       // KindPost, unless it is the event's
	Author   string        `json:"author,omitempty"`   // KindPost, unless it is the actor
	PostKind string        `json:"kind,omitempty"`     // KindPost
	Text     string        `json:"text,omitempty"`     // KindPost
	Likes    int           `json:"likes,omitempty"`    // KindPost
	Comments int           `json:"comments,omitempty"` // KindPost
	Target   feedengine.ID `json:"target,omitempty"`   // KindPostDeleted
	Users    []string      `json:"users,omitempty"`    // KindFollow, KindUnfollow
}

// encode returns the body of e's log row.
func encode(e *feedengine.Event) (string, error) {
	var b body
	switch e.Kind {
	case feedengine.KindPost:
		p := e.Post
		if p == nil {
			return "", fmt.Errorf("%w: event %d is a post without one", feedengine.ErrRefused, e.ID)
		}
		b = body{PostKind: p.Kind, Text: p.Text, Likes: p.Likes, Comments: p.Comments}
		if p.ID != e.ID {
			b.PostID = p.ID
		}
		if p.Author != e.Actor {
			b.Author = p.Author
		}
	case feedengine.KindPostDeleted:
		b.Target = e.Target
	case feedengine.KindFollow, feedengine.KindUnfollow:
		b.Users = e.Users
	default:
		return "", fmt.Errorf("%w: events of kind %d are in no log", feedengine.ErrRefused, e.Kind)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // shorter, and readable with psql
	if err := enc.Encode(b); err != nil {
		return "", fmt.Errorf("%w: event %d: %w", feedengine.ErrRefused, e.ID, err)
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// decode fills e, whose columns have been read, from its row's body.
func decode(e *feedengine.Event, text []byte) error {
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("log of shard %d, seq %d: %w", e.Shard, e.Seq, err)
	}
	e.Target, e.Users = b.Target, b.Users
	if e.Kind != feedengine.KindPost {
		return nil
	}
	e.Post = &feedengine.Post{
		ID: e.ID, Author: e.Actor, Kind: b.PostKind, Text: b.Text, Likes: b.Likes, Comments: b.Comments,
	}
	if b.PostID != 0 {
		e.Post.ID = b.PostID
	}
	if b.Author != "" {
		e.Post.Author = b.Author
	}
	return nil
}
