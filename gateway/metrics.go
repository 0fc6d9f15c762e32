package gateway

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// gatewayMetrics is what a gateway counts. Drops, refusals and closes each have
// their reason.
type gatewayMetrics struct {
	connections [states]atomic.Int64

	deliveries      *metrics.Counter
	publishToSocket *metrics.Histogram

	dropGone      *metrics.Counter
	dropNotLive   *metrics.Counter
	dropDuplicate *metrics.Counter
	dropEphemeral *metrics.Counter

	outboxCoalesced *metrics.Counter
	outboxWithdrawn *metrics.Counter
	outboxResets    *metrics.Counter
	outboxFull      *metrics.Counter

	resets        *metrics.Counter
	heartbeats    *metrics.Counter
	acksBehind    *metrics.Counter
	rateLimited   *metrics.Counter
	socketLimited *metrics.Counter

	closes     counters
	handshakes counters
}

func newMetrics(set *metrics.Set, us *users) *gatewayMetrics {
	drop := func(reason string) *metrics.Counter {
		return set.NewCounter(fmt.Sprintf("feedgate_drops_total{at=%q,reason=%q}", "gateway", reason))
	}
	m := &gatewayMetrics{
		deliveries:      set.NewCounter("feedgate_deliveries_total"),
		publishToSocket: set.NewHistogram("feedgate_publish_to_socket_seconds"),
		dropGone:        drop("session_gone"),
		dropNotLive:     drop("session_not_live"),
		dropDuplicate:   drop("duplicate"),
		dropEphemeral:   drop("ephemeral"),
		outboxCoalesced: set.NewCounter("feedgate_outbox_coalesced_total"),
		outboxWithdrawn: set.NewCounter("feedgate_outbox_withdrawn_total"),
		outboxResets:    set.NewCounter("feedgate_outbox_resets_total"),
		outboxFull:      set.NewCounter("feedgate_outbox_full_total"),
		resets:          set.NewCounter("feedgate_stream_resets_total"),
		heartbeats:      set.NewCounter("feedgate_heartbeats_total"),
		acksBehind:      set.NewCounter("feedgate_acks_behind_total"),
		rateLimited:     set.NewCounter(`feedgate_limited_total{limit="requests"}`),
		socketLimited:   set.NewCounter(`feedgate_limited_total{limit="sockets"}`),
		closes:          counters{set: set, form: "feedgate_closes_total{code=%q,reason=%q}"},
		handshakes:      counters{set: set, form: "feedgate_handshakes_total{outcome=%q,subprotocol=%q}"},
	}
	for st := opening; st < closed; st++ {
		set.NewGauge(fmt.Sprintf("feedgate_connections{state=%q}", stateNames[st]), func() float64 {
			return float64(m.connections[st].Load())
		})
	}
	set.NewGauge("feedgate_users_known", func() float64 { return float64(us.size()) })
	return m
}

// moved counts a session into its next state. From closed means: it is new.
func (m *gatewayMetrics) moved(from, to state) {
	if from != closed {
		m.connections[from].Add(-1)
	}
	if to != closed {
		m.connections[to].Add(1)
	}
}

func codeLabel(c wire.CloseCode) string { return strconv.Itoa(int(c)) }

// counters are counters with two labels, made when first needed. Labels come
// from fixed sets, never from clients.
type counters struct {
	set  *metrics.Set
	form string
	m    sync.Map // [2]string → *metrics.Counter
}

func (c *counters) with(a, b string) *metrics.Counter {
	if have, ok := c.m.Load([2]string{a, b}); ok {
		return have.(*metrics.Counter)
	}
	made := c.set.GetOrCreateCounter(fmt.Sprintf(c.form, a, b))
	c.m.Store([2]string{a, b}, made)
	return made
}

// via is how a request came.
type via uint8

const (
	viaSocket via = iota
	viaHTTP
	vias
)

var viaNames = [vias]string{"websocket", "http"}

// outcomes counts what became of one operation's requests.
type outcomes struct {
	seconds *metrics.Histogram
	counts  *[vias]counters
}

func newOutcomes(set *metrics.Set, op string) outcomes {
	o := outcomes{
		seconds: set.NewHistogram(fmt.Sprintf("feedgate_request_seconds{op=%q}", op)),
		counts:  new([vias]counters),
	}
	for v := range o.counts {
		o.counts[v].set = set
		o.counts[v].form = "feedgate_requests_total{op=%q,via=" + strconv.Quote(viaNames[v]) + ",outcome=%q}"
	}
	return o
}

// observe counts one request; no code means that it went well.
func (op *operation) observe(v via, code feedengine.Code, began time.Time) {
	if code == "" {
		code = "ok"
	}
	op.counts[v].with(op.name, string(code)).Inc()
	op.seconds.UpdateDuration(began)
}
