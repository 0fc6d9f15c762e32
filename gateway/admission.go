package gateway

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// handshakesPerCore is the default rate of handshakes for each core. One costs
// 100 to 270 µs of CPU with its token and attach, the more where the view has to
// be loaded and the machine is busy (make bench-sockets), so this leaves those who are connected more than
// half of the machine while all others come back.
const handshakesPerCore = 1500

// leastAttaches may be under way however low the rate.
const leastAttaches = 100

// When those who are refused are to return: when those who were refused before them
// have had their turn, plus a random part of a spread.
const (
	admitRetry  = time.Second // at least
	admitSpread = 2 * time.Second
	// admitWidest is for how long at most: by then nobody knows what will be. Who
	// would have to wait longer comes within the second half of it, and asks again.
	admitWidest = time.Minute
	// comeBack is the part of the rate at which they come back: the rest is for who
	// comes for the first time.
	comeBack = 0.9
	// Memory comes back slowly, as slots do: with the views and sockets that leave.
	memoryRetry  = 5 * time.Second
	memorySpread = 25 * time.Second
)

// refusal is why a handshake was not admitted.
type refusal uint8

const (
	admitted    refusal = iota
	overRate            // more handshakes per second than the rate
	overAttach          // more attaches under way than the shards do in a second
	overMemory          // the process is over its memory budget
	overSockets         // no slot is left for a session
	refusals
)

var refusalNames = [refusals]string{"", "rate", "attaches", "memory", "sockets"}

// admission decides which handshakes are begun, so that those who are connected
// stay served while everybody comes back at once. It is asked twice: at the
// upgrade, before anything is allocated for it, and at the connect frame, before
// the token is checked and the shard asked.
type admission struct {
	// Set at construction.
	turns    *Turns
	here     *Turns        // of who was refused for attaches, which are this process's own
	every    time.Duration // a turn to upgrade; those of a second are kept
	share    float64       // of the turns of a second, where all who take them take as many
	attaches int64         // that may be under way
	underWay func() int64  // attaches that are
	memory   func() bool   // whether the process is over its budget
	refused  [2][refusals]*metrics.Counter
}

// at which point of a handshake it is refused.
const (
	atUpgrade = iota
	atConnect
)

// newAdmission makes one for what the limits say.
func newAdmission(l Limits, set *metrics.Set, underWay func() int64, memory func() bool) *admission {
	perSec := l.Handshakes
	if perSec == 0 {
		perSec = float64(handshakesPerCore * runtime.GOMAXPROCS(0))
	}
	share := perSec / float64(l.TakingTurns)
	a := &admission{
		turns: l.Turns, here: new(Turns), every: time.Duration(float64(time.Second) / perSec), share: share,
		attaches: max(leastAttaches, int64(share)), underWay: underWay, memory: memory,
	}
	for at, name := range []string{"upgrade", "connect"} {
		for why := admitted + 1; why < refusals; why++ {
			if at == atConnect && (why == overRate || why == overSockets) {
				continue // decided at the upgrade
			}
			a.refused[at][why] = set.NewCounter(fmt.Sprintf("feedgate_admission_refused_total{at=%q,reason=%q}", name, refusalNames[why]))
		}
	}
	set.NewGauge("feedgate_admission_rate", func() float64 { return share })
	return a
}

// upgrade judges a handshake that begins.
func (a *admission) upgrade(now time.Time) refusal {
	if why := a.connect(); why != admitted {
		return why // before a token is spent on it
	}
	if !a.turns.take(now, a.every, time.Second) {
		return overRate
	}
	return admitted
}

// connect judges one whose socket is open.
func (a *admission) connect() refusal {
	switch {
	case a.memory():
		return overMemory
	case a.underWay() >= a.attaches:
		return overAttach
	}
	return admitted
}

// refuse counts a refusal and says when to come back.
func (a *admission) refuse(at int, why refusal, now time.Time) (retry, spread time.Duration) {
	a.refused[at][why].Inc()
	var wait time.Duration
	switch why {
	case overMemory, overSockets: // no rate says when there is room again
		return memoryRetry, memorySpread
	case overAttach:
		wait = a.here.wait(now, time.Duration(float64(time.Second)/(a.share*comeBack)), admitWidest)
	default:
		wait = a.turns.wait(now, time.Duration(float64(a.every)/comeBack), admitWidest)
	}
	if wait > admitWidest-admitSpread {
		return admitWidest / 2, admitWidest / 2
	}
	return max(admitRetry, wait).Truncate(time.Millisecond), admitSpread
}

// bye is the answer to a refusal on an open socket.
func (a *admission) bye(why refusal, now time.Time) wire.Bye {
	b := wire.ByeFor(wire.CloseOverloaded)
	b.Retry, b.Spread = a.refuse(atConnect, why, now)
	return b
}

// answer503 is the answer to a refusal at the upgrade. A client of HTTP knows no
// spread: it is given its own random part of it. The connection ends, for it
// would hold more than the refusal saved.
func (a *admission) answer503(w http.ResponseWriter, why refusal, now time.Time) {
	retry, spread := a.refuse(atUpgrade, why, now)
	retry += rand.N(spread)
	w.Header().Set("Connection", "close")
	writeError(w, &feedengine.Error{
		Code: feedengine.Overloaded, Retry: retry.Truncate(time.Millisecond),
		Message: "this node takes no more connections just now: come back later",
	})
}
