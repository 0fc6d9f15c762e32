package socket

import "errors"

func newEpoll(*Server) (poller, error) {
	return nil, errors.ErrUnsupported
}
