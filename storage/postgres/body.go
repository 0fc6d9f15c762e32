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
	Name     string           `json:"name,omitempty"`     // the actor's
	PostID   feedengine.ID    `json:"id,omitempty"`       // of the post, unless it is the event's
	Author   string           `json:"author,omitempty"`   // of the post, unless it is the actor
	PostKind string           `json:"kind,omitempty"`     // of the post, and so on
	Text     string           `json:"text,omitempty"`     //
	Likes    int              `json:"likes,omitempty"`    //
	Comments int              `json:"comments,omitempty"` //
	More     *feedengine.More `json:"more,omitempty"`     //
	Target   feedengine.ID    `json:"target,omitempty"`   // KindPostDeleted
	Users    []string         `json:"users,omitempty"`
	Fact     json.RawMessage  `json:"fact,omitempty"` // as feedengine.AppendFact wrote it
}

// encode returns the body of e's log row.
func encode(e *feedengine.Event) (string, error) {
	if !e.Kind.Stored() {
		return "", fmt.Errorf("%w: events of kind %d are in no log", feedengine.ErrRefused, e.Kind)
	}
	b := body{Name: e.Name, Target: e.Target, Users: e.Users}
	if hasPost(e.Kind) {
		p := e.Post
		if p == nil {
			return "", fmt.Errorf("%w: event %d is a post without one", feedengine.ErrRefused, e.ID)
		}
		b.PostKind, b.Text, b.Likes, b.Comments, b.More = p.Kind, p.Text, p.Likes, p.Comments, p.More
		if p.ID != e.ID {
			b.PostID = p.ID
		}
		if p.Author != e.Actor {
			b.Author = p.Author
		}
	}
	if e.Fact != nil {
		fact, err := feedengine.AppendFact(nil, e)
		if err != nil {
			return "", fmt.Errorf("%w: %w", feedengine.ErrRefused, err)
		}
		b.Fact = fact
	}
	text, err := marshal(b)
	if err != nil {
		return "", fmt.Errorf("event %d: %w", e.ID, err)
	}
	return text, nil
}

// hasPost reports whether events of the kind carry a post.
func hasPost(k feedengine.EventKind) bool {
	return k == feedengine.KindPost || k == feedengine.KindPostEdited
}

// marshal is v as JSON for a column of text. It refuses what would not come back
// as it was, or could not stand in a column by itself: U+0000 and broken UTF-8.
func marshal(v any) (string, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // shorter, and readable with psql
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("%w: %w", feedengine.ErrRefused, err)
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if unfit(text) {
		return "", fmt.Errorf("%w: text with U+0000 or broken UTF-8", feedengine.ErrRefused)
	}
	return string(text), nil
}

// unfit finds the escapes that encoding/json writes for U+0000, and for bytes that
// are not UTF-8: a U+FFFD that was in the text stands for itself.
func unfit(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return false
		}
		if rest := text[i+1:]; bytes.HasPrefix(rest, []byte("u0000")) || bytes.HasPrefix(rest, []byte("ufffd")) {
			return true
		}
		text = text[i+2:]
	}
}

// decode fills e, whose columns have been read, from its row's body.
func decode(e *feedengine.Event, text []byte) error {
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("log of shard %d, seq %d: %w", e.Shard, e.Seq, err)
	}
	e.Name, e.Target, e.Users = b.Name, b.Target, b.Users
	if err := feedengine.ReadFact(e, b.Fact); err != nil {
		return fmt.Errorf("log of shard %d, seq %d: %w", e.Shard, e.Seq, err)
	}
	if !hasPost(e.Kind) {
		return nil
	}
	e.Post = &feedengine.Post{
		ID: e.ID, Author: e.Actor, Kind: b.PostKind, Text: b.Text, Likes: b.Likes, Comments: b.Comments, More: b.More,
	}
	if b.PostID != 0 {
		e.Post.ID = b.PostID
	}
	if b.Author != "" {
		e.Post.Author = b.Author
	}
	return nil
}
