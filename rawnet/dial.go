package rawnet

import (
	"context"
	"net"
)

// Dial is such a function as clients take to connect with.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialing is the function with connections as Of makes them.
func Dialing(dial Dial) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return Of(c), nil
	}
}
