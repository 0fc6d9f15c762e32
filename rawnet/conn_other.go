//go:build !linux

package rawnet

import "net"

// Of is the connection itself: only Linux has such calls.
func Of(c net.Conn) net.Conn { return c }
