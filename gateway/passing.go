package gateway

import (
	"net/http"

	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/socket"
)

// Passing is for a gateway that shares its address with other processes: Front gives
// upgrades whose header bears a user's token to the process that owns the user, so
// that attach, requests and deliveries need not cross to it. See socket.Passing.
type Passing struct {
	Here   string                // path by which the others reach this one
	Others []string              // paths of theirs
	Owner  func(user string) int // index in Others, below 0: this process, another address or not known; it does not wait
	Most   int                   // sockets that this process may hold, 0: any number
}

// passes is what the front needs for it.
func (g *Gateway) passes() *socket.Passing {
	p := g.passing
	if p == nil {
		return nil
	}
	return &socket.Passing{Here: p.Here, Others: p.Others, Most: p.Most, To: g.ownerOf, Full: g.refuses}
}

// ownerOf says to whom a request's user belongs. The token is not checked: whoever lies
// is refused elsewhere. A service's sockets are those of the user that its token names.
func (g *Gateway) ownerOf(r *http.Request) int {
	user := auth.Subject(bearerOf(r))
	if user == "" {
		return -1
	}
	return g.passing.Owner(user)
}

// refuses says that new sockets are refused for some time.
func (g *Gateway) refuses() bool { return phase(g.phase.Load()) == draining || g.memory.Over() }
