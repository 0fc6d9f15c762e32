package bus

import "context"

// Bus is one node's access to the bus.
//
// Messages that one node publishes arrive in that order at each subscriber that
// gets them (with Redis Cluster and sharded pub/sub: in that order per topic).
// A node's own messages come to its own subscriptions too.
type Bus interface {
	// Publish sends msg to the subscribers of topic. It never waits. False: the
	// bus is away or its queue is full; the message is dropped and counted. msg
	// belongs to the bus from then on, and nobody changes it.
	Publish(topic string, msg []byte) bool
	// Subscribe has h called with each message of topic that arrives from about
	// now on. All handlers of a Bus are called on one goroutine, in the order of
	// arrival; msg is valid during the call only. After cancel has returned, h is
	// not called again; from within a handler cancel must not be called.
	Subscribe(topic string, h func(msg []byte)) (cancel func())
	// Ping is nil when the bus answers and all subscriptions stand.
	Ping(ctx context.Context) error
	// Close ends all subscriptions and drops what is queued. It waits for the
	// handler that is running.
	Close() error
}
