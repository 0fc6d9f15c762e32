package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// What an event has that has no column of its own stands in one of JSON, which is
// NULL for what most events are. Names never change their meaning.

// postEvent is what a row of posts keeps of its event.
type postEvent struct {
	Name   string   `json:"name,omitempty"`
	Users  []string `json:"users,omitempty"`
	Alerts []string `json:"alerts,omitempty"` // of More: nobody reads them of the post
	// Was is what the post was published with, when it has been edited since:
	// editPost writes it.
	Was *struct {
		Text string           `json:"text"`
		More *feedengine.More `json:"more"`
	} `json:"was,omitempty"`
}

// postColumns are more and event of a post's row; full says that it needs them.
func postColumns(e *feedengine.Event) (more, event value, full bool) {
	has := postEvent{Name: e.Name, Users: e.Users}
	if e.Post.More != nil {
		has.Alerts = e.Post.More.Alerts
		more, full = moreColumn(e.Post), true
	}
	if has.Name != "" || len(has.Users) > 0 || len(has.Alerts) > 0 {
		event, full = object(has), true
	}
	return more, event, full
}

// moreColumn is what a post has beside its text, "{}" when that is nothing.
func moreColumn(p *feedengine.Post) value {
	if p.More == nil {
		return nil
	}
	kept := *p.More
	kept.Alerts = nil
	return object(&kept)
}

// readMore reads what a post has beside its text.
func readMore(p *feedengine.Post, more value) error {
	if more == "{}" {
		return nil
	}
	return readJSON(more, &p.More)
}

// readPostColumns completes the event that a post's row is: with what it was
// then, its likes and comments, which came later, among them.
func readPostColumns(e *feedengine.Event, more, event value) error {
	var has postEvent
	if err := readJSON(event, &has); err != nil {
		return err
	}
	e.Name, e.Users = has.Name, has.Users
	if has.Was != nil {
		e.Post.Text, e.Post.More = has.Was.Text, has.Was.More
	} else if err := readJSON(more, &e.Post.More); err != nil {
		return err
	}
	if e.Post.More != nil {
		e.Post.More.Alerts = has.Alerts
	}
	return nil
}

// eventBody is what a row of log keeps beside its columns.
type eventBody struct {
	Name string          `json:"name,omitempty"`
	Fact json.RawMessage `json:"fact,omitempty"`
	Post *postBody       `json:"post,omitempty"`
}

// postBody is a post that is not its event's; its author is the event's actor.
type postBody struct {
	ID       feedengine.ID    `json:"id"`
	Kind     string           `json:"kind"`
	Text     string           `json:"text"`
	Likes    int              `json:"likes,omitempty"`
	Comments int              `json:"comments,omitempty"`
	More     *feedengine.More `json:"more,omitempty"`
}

// bodyColumn is the body of an event's row of log.
func bodyColumn(e *feedengine.Event) (value, error) {
	if e.Name == "" && e.Fact == nil && e.Post == nil {
		return nil, nil
	}
	fact, err := feedengine.AppendFact(nil, e)
	if err != nil {
		return nil, refused("%v", err)
	}
	body := eventBody{Name: e.Name, Fact: fact}
	if p := e.Post; p != nil {
		body.Post = &postBody{p.ID, p.Kind, p.Text, p.Likes, p.Comments, p.More}
	}
	return object(body), nil
}

// readBodyColumn completes the event that a row of log is.
func readBodyColumn(e *feedengine.Event, column value) error {
	var body eventBody
	if err := readJSON(column, &body); err != nil {
		return err
	}
	e.Name = body.Name
	if p := body.Post; p != nil {
		e.Post = &feedengine.Post{
			ID: p.ID, Author: e.Actor, Kind: p.Kind, Text: p.Text, Likes: p.Likes, Comments: p.Comments, More: p.More,
		}
	}
	if err := feedengine.ReadFact(e, body.Fact); err != nil {
		return fmt.Errorf("%w: %w", feedengine.ErrUnavailable, err)
	}
	return nil
}

// object is v as a column of JSON. Its strings have been checked to be UTF-8, and
// its times to be of years that can be written.
func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // facts, posts and lists of them always can
	}
	return string(b)
}

// readJSON reads a column that may be NULL, and then leaves v as it is.
func readJSON(column value, v any) error {
	text, ok := column.(string)
	if !ok {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("%w: %w", feedengine.ErrUnavailable, err)
	}
	return nil
}
