package gateway

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/time/rate"

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

// When those who are refused are to return: after so long, plus a random part of
// a spread that grows with how many there are.
const (
	admitRetry  = time.Second
	admitSpread = 4 * time.Second // at least
	admitWidest = time.Minute     // at most
	// Memory comes back slowly: with the views and sockets that leave.
	memoryRetry  = 5 * time.Second
	memorySpread = 25 * time.Second // at least
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
	limiter  *rate.Limiter // of upgrades; its burst is a second's
	perSec   float64
	attaches int64        // that may be under way
	underWay func() int64 // attaches that are
	memory   func() bool  // whether the process is over its budget
	refused  [2][refusals]*metrics.Counter

	mu   sync.Mutex
	away float64   // guarded by mu: clients refused who have not had their turn since
	at   time.Time // guarded by mu: when away was that
}

// at which point of a handshake it is refused.
const (
	atUpgrade = iota
	atConnect
)

// newAdmission makes one for so many handshakes per second, 0: the default.
func newAdmission(perSec float64, set *metrics.Set, underWay func() int64, memory func() bool) *admission {
	if perSec == 0 {
		perSec = float64(handshakesPerCore * runtime.GOMAXPROCS(0))
	}
	a := &admission{
		limiter: rate.NewLimiter(rate.Limit(perSec), max(1, int(perSec))), perSec: perSec,
		attaches: max(leastAttaches, int64(perSec)), underWay: underWay, memory: memory,
	}
	for at, name := range []string{"upgrade", "connect"} {
		for why := admitted + 1; why < refusals; why++ {
			if at == atConnect && (why == overRate || why == overSockets) {
				continue // decided at the upgrade
			}
			a.refused[at][why] = set.NewCounter(fmt.Sprintf("feedgate_admission_refused_total{at=%q,reason=%q}", name, refusalNames[why]))
		}
	}
	set.NewGauge("feedgate_admission_rate", func() float64 { return perSec })
	return a
}

// upgrade judges a handshake that begins.
func (a *admission) upgrade(now time.Time) refusal {
	if why := a.connect(); why != admitted {
		return why // before a token is spent on it
	}
	if !a.limiter.AllowN(now, 1) {
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

// refuse counts a refusal and says when to come back: the more have been refused
// of late, the wider they are spread, so that they come at half the rate that is
// admitted.
func (a *admission) refuse(at int, why refusal, now time.Time) (retry, spread time.Duration) {
	a.refused[at][why].Inc()
	a.mu.Lock()
	if gone := now.Sub(a.at).Seconds() * a.perSec; gone > 0 {
		a.away, a.at = max(0, a.away-gone), now
	}
	a.away = min(a.away+1, admitWidest.Seconds()*a.perSec)
	spread = time.Duration(2 * a.away / a.perSec * float64(time.Second))
	a.mu.Unlock()
	retry, least := admitRetry, admitSpread
	if why == overMemory {
		retry, least = memoryRetry, memorySpread
	}
	return retry, min(max(spread, least), admitWidest).Truncate(time.Millisecond)
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
