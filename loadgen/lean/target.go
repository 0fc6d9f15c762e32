package lean

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
)

// Target is where connections go. Many share one.
type Target struct {
	addr netip.AddrPort
	host string
	path string
}

// ParseTarget reads ws://host:port, with or without a path, and looks the host up.
func ParseTarget(raw string) (*Target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("lean: target: %w", err)
	}
	if u.Scheme != "ws" {
		return nil, fmt.Errorf("lean: target %q: want ws://host:port (TLS is not spoken here)", raw)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("lean: target: %w", err)
	}
	t := &Target{addr: a.AddrPort(), host: u.Host, path: u.RequestURI()}
	t.addr = netip.AddrPortFrom(t.addr.Addr().Unmap(), t.addr.Port())
	if u.Path == "" || u.Path == "/" {
		t.path = "/v1/ws"
	}
	return t, nil
}
