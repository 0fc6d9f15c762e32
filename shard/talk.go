package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

// Talks is what is asked about conversations.
type Talks interface {
	Talk(ctx context.Context, ask feedengine.TalkAsk) (feedengine.Talk, error)
}

var (
	errToOneself = feedengine.Refuse(feedengine.BadRequest, "a message to oneself")
	errTooMany   = feedengine.Refuse(feedengine.BadRequest, "a conversation has at most 256 members")
	errBlocked   = feedengine.Refuse(feedengine.Forbidden, "there is a block between you")
	errNoTalk    = feedengine.Refuse(feedengine.NotFound, "there is no such conversation")
	errNoMessage = feedengine.Refuse(feedengine.NotFound, "there is no such message to reply to")
)

// send sends a message. Its ID is greater than those of all earlier messages of the
// conversation, also of the one that it answers: these stand in this shard's log,
// whose events the node's clock has observed, whoever wrote them, before it gives
// out an ID for the same log. A conversation's ID is that of its first message.
func (a *actor) send(m asked, do feedengine.Send) {
	if do.Conversation != 0 {
		a.queue(m, "talk "+do.Conversation.String())
		return
	}
	switch members := feedengine.ConversationMembers(m.User, do.To); {
	case len(members) < 2:
		m.Done(feedengine.Result{Err: errToOneself})
	case len(members) > feedengine.MaxMembers:
		m.Done(feedengine.Result{Err: errTooMany})
	default:
		a.queue(m, "talk "+feedengine.ConversationKey(members))
	}
}

func (a *actor) checkSend(m asked, do feedengine.Send) check {
	ask := feedengine.TalkAsk{User: m.User, ID: do.Conversation, Reply: do.Reply}
	to := do.Conversation.String()
	if do.Conversation == 0 {
		ask.Members = feedengine.ConversationMembers(m.User, do.To)
		to = feedengine.ConversationKey(ask.Members)
	}
	content := []string{to, do.Text, do.Reply.String()}
	if len(do.Media) > 0 {
		content = append(content, string(jsonOf(do.Media)))
	}
	key := keyOf(m, "message", do.Key, content...)
	return func(ctx context.Context) func() {
		talk, err := a.host.opts.Store.Talk(ctx, ask)
		if err == nil {
			if talk.ID == 0 {
				talk.Members = ask.Members
			}
			if err = refusesMessage(do, talk); err != nil {
				before, keyErr := a.settled(ctx, key)
				switch {
				case keyErr != nil:
					err = keyErr
				case before != nil:
					return func() { a.finish(m, feedengine.Result{Message: saying(before.ID, m.User, do, talk)}) }
				}
			}
		}
		return func() { a.say(m, do, key, talk, err) }
	}
}

// refusesMessage says why the user may not send a message; talk.ID 0 is a
// conversation that it would open.
func refusesMessage(do feedengine.Send, talk feedengine.Talk) error {
	switch {
	case talk.ID == 0 && do.Conversation != 0:
		return errNoTalk
	case len(talk.Blocked) > 0 && (talk.ID == 0 || len(talk.Members) == 2):
		return errBlocked
	case do.Reply != 0 && (talk.ID == 0 || !talk.Replied):
		return errNoMessage
	}
	return nil
}

func (a *actor) say(m asked, do feedengine.Send, key *feedengine.Key, talk feedengine.Talk, err error) {
	if err != nil {
		a.refuse(m, err)
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	said := saying(id, m.User, do, talk)
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindMessage, Actor: m.User, Name: talk.Name, Users: talk.Members, Fact: said}
	result := func(o Outcome) feedengine.Result {
		if o.Prior != nil {
			return feedengine.Result{Message: saying(o.Prior.ID, m.User, do, talk)}
		}
		return feedengine.Result{Message: said}
	}
	if said.Opens { // what comes behind has to find the conversation
		a.write(m, ev, key, result)
		return
	}
	a.writeInOrder(m, ev, key, result)
}

// saying is what the user says under an event's id.
func saying(id feedengine.ID, user string, do feedengine.Send, talk feedengine.Talk) *feedengine.Message {
	msg := &feedengine.Message{ID: id, Conversation: talk.ID, From: user, Text: do.Text, Reply: do.Reply, Media: do.Media}
	if msg.Conversation == 0 {
		msg.Conversation = id
	}
	msg.Opens = msg.Conversation == id
	return msg
}
