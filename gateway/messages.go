package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func messageOperations() []*operation {
	return []*operation{
		{
			name: "message", action: message,
			ok: func(r *feedengine.Result, _ bool) wire.Object { return &wire.Sent{Message: wireMessage(r.Message)} },
			routes: []route{
				{http.MethodPost, "/v1/messages", http.StatusCreated, wire.MaxFrame, idempotencyKey},
				{http.MethodPost, "/v1/conversations/{conversation}/messages", http.StatusCreated, wire.MaxFrame, all(pathConversation, idempotencyKey)},
			},
		},
		{
			name: "conversations", read: readConversations,
			routes: []route{{http.MethodGet, "/v1/conversations", http.StatusOK, 0, paging}},
		},
		{
			name: "messages", read: readMessages,
			routes: []route{{http.MethodGet, "/v1/conversations/{conversation}/messages", http.StatusOK, 0, all(pathConversation, paging)}},
		},
	}
}

func message(c *call) (feedengine.Action, *feedengine.Error) {
	r := c.req
	do := feedengine.Send{Key: r.Key}
	var err *feedengine.Error
	switch to, conversation := r.Has&wire.HasTo != 0, r.Has&wire.HasConversation != 0; {
	case to == conversation:
		err = badRequest(`either "to" or "conversation" must be given`)
	case to:
		do.To, err = checkTo(c)
	default:
		do.Conversation, err = checkID("conversation", r.Conversation)
	}
	if err != nil {
		return nil, err
	}
	if do.Text, err = checkText(r.Text); err != nil {
		return nil, err
	}
	if do.Media, err = checkMedia(r); err != nil {
		return nil, err
	}
	if r.Has&wire.HasReply != 0 {
		if do.Reply, err = checkID("reply", r.Reply); err != nil {
			return nil, err
		}
	}
	if err := checkKey(r); err != nil {
		return nil, err
	}
	return do, nil
}

// checkTo is to whom a message goes: others than its sender, and with the sender
// no more than a conversation holds.
func checkTo(c *call) ([]string, *feedengine.Error) {
	for _, u := range c.req.To {
		if err := checkUser(u); err != nil {
			return nil, err
		}
	}
	members := feedengine.ConversationMembers(c.user, c.req.To)
	switch {
	case len(members) < 2:
		return nil, badRequest(`"to" must name somebody else`)
	case len(members) > feedengine.MaxMembers:
		return nil, badRequest(fmt.Sprintf("a conversation has at most %d members", feedengine.MaxMembers))
	}
	others := make([]string, 0, len(members)-1)
	for _, u := range members {
		if u != c.user {
			others = append(others, u)
		}
	}
	return others, nil
}

func readConversations(c *call) (query, *feedengine.Error) {
	before, limit, err := checkPage(c.req)
	if err != nil {
		return nil, err
	}
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Conversations(ctx, user, before, limit)
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Conversations{Conversations: make([]wire.Conversation, len(page.Conversations)), Next: int64(page.Next)}
		bytes := replyBytes
		for i, one := range page.Conversations {
			out.Conversations[i] = wireConversation(one)
			bytes += 2*replyBytes + len(one.Members)*feedengine.MaxUserBytes/2
			if one.Last != nil {
				bytes += messageBytes(one.Last)
			}
		}
		return out, bytes, nil
	}, nil
}

func readMessages(c *call) (query, *feedengine.Error) {
	conversation, err := checkID("conversation", c.req.Conversation)
	if err != nil {
		return nil, err
	}
	before, limit, err := checkPage(c.req)
	if err != nil {
		return nil, err
	}
	user, expand := c.user, c.req.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Messages(ctx, user, conversation, before, limit)
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Messages{
			Messages: make([]wire.Message, len(page.Messages)), Next: int64(page.Next), Seen: make([]wire.Seen, len(page.Seen)),
		}
		bytes := replyBytes
		for i, one := range page.Messages {
			out.Messages[i] = wireMessage(one)
			bytes += messageBytes(one)
		}
		for i, s := range page.Seen {
			out.Seen[i] = wire.Seen{User: s.User, Got: int64(s.Got), Read: int64(s.Read)}
			bytes += replyBytes
		}
		n, err := namesOf(ctx, from, expand, out.Messages, func(m *wire.Message) string { return m.From })
		for i := range out.Messages {
			out.Messages[i].Name = n.of(out.Messages[i].From)
		}
		return out, bytes, err
	}, nil
}

// messageBytes is about what a message takes in an outbox.
func messageBytes(m *feedengine.Message) int {
	return 2*replyBytes + len(m.Text) + mediaBytes(m.Media)
}
