package shard

import (
	"github.com/feedgate/feedgate/feedengine"
)

// message is the sealed set of what an actor's mailbox holds.
type message interface{ message() }

type (
	// asked is a request from a gateway.
	asked struct {
		feedengine.Request
		gateway feedengine.GatewayID
		key     string // internal idempotency key, or ""
		lane    string // the one that it holds or waits in, "" for none
	}
	// rejoined brings sessions of a gateway.
	rejoined struct{ feedengine.RejoinInput }
	// gatewayGone says that a gateway is no more.
	gatewayGone struct{ gateway feedengine.GatewayID }
	// arrived is what the loader brought for this shard.
	arrived struct{ *Loaded }
	// saved says what became of a read mark's write.
	saved struct {
		token feedengine.Token
		mark  feedengine.Mark
		err   *feedengine.Error
	}
	// checked goes on with a request after its check of storage.
	checked struct {
		asked
		resume func()
	}
	// released lets the next request in a lane go; id was the last one's event.
	released struct {
		lane string
		id   feedengine.ID
	}
	// leave has the shard hand over its state, to done.
	leave struct{ done chan<- handed }
	// stay calls that off, if it is not too late.
	stay struct{}
	// resume has a shard that was handed over served again.
	resume struct {
		head feedengine.Head
		done chan<- error
	}
	// audit asks for a recount of somebody.
	audit struct{}
	// inspect runs on the actor's goroutine, for whoever waits for done.
	inspect struct {
		look func(*actor)
		done chan struct{}
	}
)

func (asked) message()       {}
func (rejoined) message()    {}
func (gatewayGone) message() {}
func (arrived) message()     {}
func (saved) message()       {}
func (checked) message()     {}
func (released) message()    {}
func (leave) message()       {}
func (stay) message()        {}
func (resume) message()      {}
func (audit) message()       {}
func (inspect) message()     {}
