package socket

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// counters are the server's metrics.
type counters struct {
	set *metrics.Set

	accepted, refused    *metrics.Counter
	bytesIn, framesIn    *metrics.Counter
	bytesOut, framesOut  *metrics.Counter
	wakes, writes, again *metrics.Counter

	deflatedIn, deflatedOut *metrics.Counter // frames, compressed

	fronts [frontEnds]*metrics.Counter
	taken  [takings]*metrics.Counter
	kept   [keepings]*metrics.Counter
}

// What becomes of a connection that a front accepted.
const (
	frontUpgraded = iota
	frontRefused  // answered, but not with an upgrade
	frontHanded   // left to net/http
	frontSilent   // sent nothing in time
	frontGone     // sent nothing, and left
	frontPassed   // given to another process's front
	frontEnds
)

var frontNames = [frontEnds]string{"upgraded", "refused", "handed", "silent", "gone", "passed"}

// What comes of a connection that another process passed here.
const (
	takenGood = iota
	takenLost // the system had no descriptor for it
	takenBad  // it was none, or not as fronts pass them
	takings
)

var takenNames = [takings]string{"good", "lost", "bad"}

// Why a connection was served here although another process is the one to serve it.
const (
	keptFull   = iota // as that one says
	keptQueued        // so many are on their way there
	keptAlone         // that one does not answer
	keepings
)

var keptNames = [keepings]string{"full", "queued", "alone"}

func newCounters(set *metrics.Set, open func() int, poller string) *counters {
	set.NewGauge(`feedgate_socket_open`, func() float64 { return float64(open()) })
	set.NewGauge(fmt.Sprintf(`feedgate_socket_poller{poller=%q}`, poller), func() float64 { return 1 })
	c := &counters{
		set:       set,
		accepted:  set.NewCounter(`feedgate_socket_handshakes_total{result="accepted"}`),
		refused:   set.NewCounter(`feedgate_socket_handshakes_total{result="refused"}`),
		bytesIn:   set.NewCounter(`feedgate_socket_received_bytes_total`),
		framesIn:  set.NewCounter(`feedgate_socket_received_frames_total`),
		bytesOut:  set.NewCounter(`feedgate_socket_sent_bytes_total`),
		framesOut: set.NewCounter(`feedgate_socket_sent_frames_total`),
		wakes:     set.NewCounter(`feedgate_socket_wakes_total`),
		writes:    set.NewCounter(`feedgate_socket_writes_total`),
		again:     set.NewCounter(`feedgate_socket_write_again_total`),

		deflatedIn:  set.NewCounter(`feedgate_socket_deflated_frames_total{way="received"}`),
		deflatedOut: set.NewCounter(`feedgate_socket_deflated_frames_total{way="sent"}`),
	}
	for i, name := range frontNames {
		c.fronts[i] = set.NewCounter(fmt.Sprintf(`feedgate_front_total{end=%q}`, name))
	}
	for i, name := range takenNames {
		c.taken[i] = set.NewCounter(fmt.Sprintf(`feedgate_front_taken_total{result=%q}`, name))
	}
	for i, name := range keptNames {
		c.kept[i] = set.NewCounter(fmt.Sprintf(`feedgate_front_kept_total{reason=%q}`, name))
	}
	return c
}

// sent is what flushes have written since it was last added to the metrics: several
// writers that each count every write in the same words of memory wait for these.
type sent struct{ flushes, writes, again, bytes, frames, deflated int }

func (c *counters) sent(s *sent) {
	c.wakes.Add(s.flushes)
	c.writes.Add(s.writes)
	c.bytesOut.Add(s.bytes)
	c.framesOut.Add(s.frames)
	if s.again > 0 {
		c.again.Add(s.again)
	}
	if s.deflated > 0 {
		c.deflatedOut.Add(s.deflated)
	}
	*s = sent{}
}

// closed and fault are rare enough to look their counter up.
func (c *counters) closed(why CloseReason) {
	c.set.GetOrCreateCounter(fmt.Sprintf(`feedgate_socket_closes_total{reason=%q}`, string(why))).Inc()
}

func (c *counters) fault(code int) {
	c.set.GetOrCreateCounter(fmt.Sprintf(`feedgate_socket_faults_total{code="%d"}`, code)).Inc()
}
