package bus

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrAway is why a Ping fails while the bus cannot be reached.
var ErrAway = errors.New("bus: cannot be reached")

// Memory is one node's bus on a Hub.
type Memory struct {
	hub  *Hub
	name string

	// Guarded by hub.mu.
	cut, closed bool
	inbox       letters
	held        map[*Memory]time.Time // when the last message to that node arrives that none may overtake
	handlers    map[string][]*handler

	wake    chan struct{} // holds one: the inbox has changed
	calling chan struct{} // holds one: handlers are being called
	ended   chan struct{} // closed when deliver has returned
}

type handler struct{ h func(msg []byte) }

// SetCut begins or ends an outage for this node alone.
func (m *Memory) SetCut(cut bool) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	m.cut = cut
	if cut {
		m.inbox.drop()
	}
}

// Publish is Bus.Publish.
func (m *Memory) Publish(topic string, msg []byte) bool { return m.hub.publish(m, topic, msg) }

// Subscribe is Bus.Subscribe. It takes effect at once.
func (m *Memory) Subscribe(topic string, h func(msg []byte)) (cancel func()) {
	mine := &handler{h}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	m.handlers[topic] = append(slices.Clip(m.handlers[topic]), mine)
	return func() {
		m.hub.mu.Lock()
		kept := slices.DeleteFunc(slices.Clone(m.handlers[topic]), func(other *handler) bool { return other == mine })
		if m.handlers[topic] = kept; len(kept) == 0 {
			delete(m.handlers, topic)
		}
		m.hub.mu.Unlock()
		m.calling <- struct{}{} // waits for a call under way
		<-m.calling
	}
}

// Ping is Bus.Ping.
func (m *Memory) Ping(context.Context) error {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.hub.down || m.cut || m.closed {
		return ErrAway
	}
	return nil
}

// Listeners is how many nodes are subscribed to each topic.
func (m *Memory) Listeners(_ context.Context, topics []string) ([]int, error) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.hub.down || m.cut || m.closed {
		return nil, ErrAway
	}
	listeners := make([]int, len(topics))
	for i, topic := range topics {
		for _, to := range m.hub.members {
			if len(to.handlers[topic]) > 0 && !to.cut {
				listeners[i]++
			}
		}
	}
	return listeners, nil
}

// Close is Bus.Close. The node leaves the hub.
func (m *Memory) Close() error {
	m.hub.leave(m)
	m.poke()
	<-m.ended
	return nil
}

// never is how long to wait for a message when none is on its way.
const never time.Duration = 1<<63 - 1

func (m *Memory) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// deliver calls the handlers with what has arrived, until Close.
func (m *Memory) deliver() {
	defer close(m.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		m.calling <- struct{}{}
		msg, handlers, wait, open := m.next()
		for _, h := range handlers {
			h.h(msg)
		}
		<-m.calling
		switch {
		case !open:
			return
		case wait == never:
			<-m.wake
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-m.wake:
			case <-timer.C:
			}
		}
	}
}

// next takes the next message that has arrived, or says how long to wait for one.
func (m *Memory) next() (msg []byte, to []*handler, wait time.Duration, open bool) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return nil, nil, 0, false
	}
	if len(m.inbox) == 0 {
		return nil, nil, never, true
	}
	if wait = time.Until(m.inbox[0].due); wait > 0 {
		return nil, nil, wait, true
	}
	first := m.inbox.take()
	return first.msg, m.handlers[first.topic], 0, true
}
