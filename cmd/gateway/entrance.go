package main

import (
	"net"
	"sync/atomic"
)

// entrance is the public listener: the bare one until the node can serve, then
// the front that answers upgrades by itself (see socket.Server.Front).
type entrance struct {
	net.Listener                              // the bare one; closed once front is set
	front        atomic.Pointer[net.Listener] // nil until the node is ready
}

// pass has Accept go on with the front. The bare listener may be the front.
func (e *entrance) pass(front net.Listener) error {
	if front == e.Listener {
		return nil
	}
	e.front.Store(&front)
	return e.Listener.Close()
}

func (e *entrance) Accept() (net.Conn, error) {
	if front := e.front.Load(); front != nil {
		return (*front).Accept()
	}
	c, err := e.Listener.Accept()
	if front := e.front.Load(); front != nil && err != nil { // it was closed for that
		return (*front).Accept()
	}
	return c, err
}

func (e *entrance) Close() error {
	if front := e.front.Load(); front != nil {
		return (*front).Close()
	}
	return e.Listener.Close()
}
