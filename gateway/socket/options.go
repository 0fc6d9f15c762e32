package socket

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Options are a Server's. The zero value works.
type Options struct {
	// Poller is how idle connections wait: "epoll" (Linux), "goroutine", or ""
	// for the best there is. Connections that are not plain TCP or Unix sockets
	// (TLS) always have goroutines.
	Poller string

	MaxFrame     int64         // bytes of an inbound message; default 64 KiB
	ReadTimeout  time.Duration // for a whole message from its first byte on; default 10 s
	WriteTimeout time.Duration // without the peer taking a byte; default 30 s
	CloseTimeout time.Duration // for the whole of closing; default 5 s

	// Deflate lets peers agree to permessage-deflate. Which frames are compressed
	// is up to Fill (Batch.Deflates).
	Deflate bool

	// OriginPatterns are browser origins allowed beside the request's own host,
	// as path.Match patterns of the host, or of scheme://host.
	OriginPatterns []string

	Metrics *metrics.Set // default: a private one
	Log     *slog.Logger // default: none
}

func (o Options) withDefaults() (Options, error) {
	switch o.Poller {
	case "", "epoll", "goroutine":
	default:
		return o, fmt.Errorf("socket: unknown poller %q (epoll or goroutine)", o.Poller)
	}
	orElse(&o.MaxFrame, 64<<10)
	orElse(&o.ReadTimeout, 10*time.Second)
	orElse(&o.WriteTimeout, 30*time.Second)
	orElse(&o.CloseTimeout, 5*time.Second)
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func orElse[T ~int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
