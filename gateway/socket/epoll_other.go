//go:build !linux

package socket

import "errors"

// newEpoll: epoll is Linux's.
func newEpoll(*Server) (poller, error) {
	return nil, errors.ErrUnsupported
}
