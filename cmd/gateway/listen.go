package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Addrs is where a node listens, with the ports that the system chose.
type Addrs struct {
	Public net.Addr // nil without the role gateway
	Admin  net.Addr
	TLS    bool
}

// listeners is the two open ports of a node and what serves them.
type listeners struct {
	public          *entrance
	admin           net.Listener
	publicS, adminS *http.Server
	tls             bool // on the public one
}

// listen opens both ports. Nothing is served before serve.
func listen(ctx context.Context, cfg *Config, w *worker, log *slog.Logger) (l *listeners, err error) {
	l = &listeners{
		publicS: &http.Server{
			// A client that sends its request byte by byte holds a goroutine and
			// 4 KB for no longer than this.
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       15 * time.Second, // a body is at most 64 KiB
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       90 * time.Second,
			MaxHeaderBytes:    16 << 10, // a token is at most 8 KiB
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		adminS: &http.Server{
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       90 * time.Second, // no WriteTimeout: a CPU profile takes its time
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	if cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate: %w", err)
		}
		l.tls, l.publicS.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	// No TCP keep-alive: the protocol's heartbeat does that work, and a probe
	// every 15 s would wake 100,000 phones for nothing.
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false) // on by default, and costs each connection a second socket in the kernel
	if cfg.has(roleGateway) {
		public, err := w.listenPublic(ctx, lc, cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("FEEDGATE_ADDR: %w", err)
		}
		l.public = &entrance{Listener: public}
	}
	if l.admin, err = w.listenAdmin(ctx, lc, cfg.AdminAddr); err != nil {
		l.close()
		return nil, fmt.Errorf("FEEDGATE_ADMIN_ADDR: %w", err)
	}
	return l, nil
}

func (l *listeners) addrs() Addrs {
	a := Addrs{Admin: l.admin.Addr(), TLS: l.tls}
	if l.public != nil {
		a.Public = l.public.Addr()
	}
	return a
}

// serveAdmin and servePublic serve until their server is shut down; then nil.
func (l *listeners) serveAdmin(h http.Handler) error {
	l.adminS.Handler = h
	return notClosed(l.adminS.Serve(l.admin))
}

func (l *listeners) servePublic(h http.Handler) error {
	l.publicS.Handler = h
	if l.tls {
		return notClosed(l.publicS.ServeTLS(l.public, "", ""))
	}
	return notClosed(l.publicS.Serve(l.public))
}

// front has upgrades answered beside net/http from now on, where that can be:
// not with TLS, which net/http does.
func (l *listeners) front(make func(net.Listener) (net.Listener, error)) error {
	if l.public == nil || l.tls {
		return nil
	}
	front, err := make(l.public.Listener)
	if err != nil {
		return fmt.Errorf("FEEDGATE_ADDR: %w", err)
	}
	return l.public.pass(front)
}

func notClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// close closes both ports and whatever HTTP connection is left.
func (l *listeners) close() error {
	errs := []error{l.publicS.Close(), l.adminS.Close()}
	if l.public != nil {
		errs = append(errs, ignoreClosed(l.public.Close()))
	}
	if l.admin != nil {
		errs = append(errs, ignoreClosed(l.admin.Close()))
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
