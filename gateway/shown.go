package gateway

import (
	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// How feedengine's objects are shown to clients. Names come by expand: see names.go.

func wireError(e *feedengine.Error) *wire.Error {
	return &wire.Error{Code: string(e.Code), Message: e.Message, Retryable: e.Retryable(), Retry: e.Retry}
}

func wirePost(p *feedengine.Post) wire.Post {
	out := wire.Post{
		ID: int64(p.ID), Author: p.Author, Kind: p.Kind, Text: p.Text, At: p.At(),
		Likes: p.Likes, Comments: p.Comments,
	}
	if more := p.More; more != nil {
		out.Followers, out.Media = more.Followers, wireMedia(more.Media)
		if more.Edited != 0 {
			out.Edited = more.Edited.Time()
		}
		if more.Job != nil {
			job := wire.Job(*more.Job)
			out.Job = &job
		}
	}
	return out
}

func wireMedia(list []feedengine.Media) []wire.Media {
	if len(list) == 0 {
		return nil
	}
	out := make([]wire.Media, len(list))
	for i, m := range list {
		out[i] = wire.Media(m)
	}
	return out
}

func wirePosts(list []*feedengine.Post) []wire.Post {
	out := make([]wire.Post, len(list))
	for i, p := range list {
		out[i] = wirePost(p)
	}
	return out
}

func wirePage(p *feedengine.Page) *wire.Page {
	if p == nil {
		return &wire.Page{}
	}
	return &wire.Page{Posts: wirePosts(p.Posts), Next: int64(p.Next)}
}

func wireComment(c *feedengine.Comment) wire.Comment {
	return wire.Comment{ID: int64(c.ID), Post: int64(c.Post), Author: c.Author, Text: c.Text, At: c.At()}
}

func wireNote(n *feedengine.Note) wire.Notification {
	return wire.Notification{
		ID: int64(n.ID), Kind: string(n.Kind), Actor: n.Actor, Post: int64(n.Post), Comment: int64(n.Comment),
		At: n.At(), Count: n.Count, Actors: n.Others,
	}
}

func wireMessage(m *feedengine.Message) wire.Message {
	return wire.Message{
		ID: int64(m.ID), Conversation: int64(m.Conversation), From: m.From, Text: m.Text, At: m.At(),
		Reply: int64(m.Reply), Media: wireMedia(m.Media),
	}
}

func wireConversation(c *feedengine.Conversation) wire.Conversation {
	out := wire.Conversation{ID: int64(c.ID), Members: c.Members, Unread: c.Unread, Read: int64(c.Read)}
	if c.Last != nil {
		last := wireMessage(c.Last)
		out.Last = &last
	}
	return out
}

func wireSearch(s *feedengine.Search) wire.Search {
	q := &s.Query
	return wire.Search{ID: int64(s.ID), Name: s.Name, Query: wire.Query{
		Q: q.Text, Category: q.Category, Location: q.Location,
		SalaryMin: uint64(q.SalaryMin), SalaryMax: uint64(q.SalaryMax), Currency: q.Currency,
	}}
}
