package link

import (
	"runtime"
	"time"
)

// patience bounds how often the flusher lets others run before it takes what
// is pending. See lull.
const patience = 16

func (l *Links) poke() {
	if l.woken.Load() || l.woken.Swap(true) {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// flusher sends what is pending as soon as there is something, and heartbeats.
func (l *Links) flusher() {
	defer close(l.ended)
	ticker := time.NewTicker(l.opts.Every / ticksPerBeat)
	defer ticker.Stop()
	l.flush(true)
	pace, _ := l.opts.Bus.(pacer)
	var held <-chan struct{} // not nil: something is pending, and the bus is busy
	for ticks := 1; ; {
		wake := l.wake
		if held != nil {
			wake = nil
		}
		select {
		case <-wake:
			l.lull()
			if pace != nil {
				held = pace.Busy()
			}
			if held == nil {
				l.flush(false)
			}
		case <-held:
			held = nil
			l.flush(false)
		case <-ticker.C:
			l.receiving.checkTails(l.opts.Every / ticksPerBeat)
			if ticks++; ticks%ticksPerBeat == 0 {
				l.flush(true)
			}
		case <-l.stop:
			l.flush(true)
			return
		}
	}
}

// ticksPerBeat is how often between two heartbeats tails are checked.
const ticksPerBeat = 5

// lull lets those run that are about to send: as an event reaches hundreds of
// shards at about the same time, what they have for a node then leaves together.
// It goes on for as long as more comes, at most patience times.
func (l *Links) lull() {
	before := l.count.sent.Get()
	for range patience {
		runtime.Gosched()
		now := l.count.sent.Get()
		if now == before {
			return
		}
		before = now
	}
}

// flush sends what is pending, then perhaps a heartbeat. What is pending for nodes
// is taken before the broadcasts, and sent after them: so an announce travels
// ahead of the deliveries that refer to it, and a heartbeat behind all that it counts.
func (l *Links) flush(beat bool) {
	l.woken.Store(false)
	outs := l.outbounds()
	type parcel struct {
		o         *outbound
		envelopes []*envelope
	}
	parcels := make([]parcel, 0, len(outs)+2)
	heads := make(map[string]LinkHead, len(outs))
	for _, o := range outs {
		envelopes, head := o.take()
		if len(envelopes) > 0 {
			parcels = append(parcels, parcel{o, envelopes})
		}
		if head.Seq > 0 {
			heads[o.node] = head
		}
	}
	for _, o := range []*outbound{&l.log, &l.all} {
		envelopes, _ := o.take()
		l.publish(o, envelopes)
	}
	for _, p := range parcels {
		l.publish(p.o, p.envelopes)
	}
	if beat {
		l.all.add(Heads{Owned: l.opts.Heads(), Links: heads})
		envelopes, _ := l.all.take()
		l.publish(&l.all, envelopes)
	}
}

func (l *Links) publish(o *outbound, envelopes []*envelope) {
	for _, e := range envelopes {
		h := header{
			from: l.opts.Self, hears: l.opts.Announces, to: e.to, stream: e.stream,
			clock: l.opts.Clock.Now(), first: e.first, count: e.count,
		}
		h.put(e.buf)
		l.count.envelopes.Inc()
		l.count.bytes.Add(len(e.buf))
		l.opts.Bus.Publish(o.topic, e.buf) // false is counted there; the receiver will notice
	}
}
