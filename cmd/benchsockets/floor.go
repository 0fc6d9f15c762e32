//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/gateway/wire"
)

// floor is the role floor: sockets, and a loop that writes the same bytes to each
// of them. It is what any server has to do, and nothing else.
type floor struct {
	listener int
	port     int
	fds      []int
}

func (f *floor) do(c command) (report, error) {
	switch c.Do {
	case "listen":
		return report{URL: f.url()}, f.listen()
	case "where":
		return report{URL: f.url()}, nil
	case "accept":
		return report{N: c.N}, f.accept(c.N)
	case "write":
		return f.write(c)
	}
	return report{}, fmt.Errorf("no such command")
}

func (f *floor) url() string { return fmt.Sprintf("ws://127.0.0.1:%d", f.port) }

func (f *floor) listen() (err error) {
	if f.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(f.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(f.listener, 4096); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	name, err := unix.Getsockname(f.listener)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	f.port = name.(*unix.SockaddrInet4).Port
	return nil
}

// accept takes n connections, one after the other, and upgrades them.
func (f *floor) accept(n int) error {
	for range n {
		fd, _, err := unix.Accept4(f.listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if err := upgrade(fd); err != nil {
			return fmt.Errorf("upgrade: %w", err)
		}
		f.fds = append(f.fds, fd)
	}
	return nil
}

// upgrade answers one handshake of a lean client.
func upgrade(fd int) error {
	var request []byte
	room := make([]byte, 4096)
	for !bytes.Contains(request, []byte("\r\n\r\n")) {
		n, err := unix.Read(fd, room)
		if err != nil || n == 0 {
			return fmt.Errorf("read: %d, %w", n, err)
		}
		request = append(request, room[:n]...)
	}
	_, rest, _ := strings.Cut(string(request), "Sec-WebSocket-Key: ")
	key, _, _ := strings.Cut(rest, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := fmt.Sprintf("HTTP/1.1 %d Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		http.StatusSwitchingProtocols, base64.StdEncoding.EncodeToString(sum[:]), wire.JSONv1)
	if _, err := unix.Write(fd, []byte(answer)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}

// write sends c.Frame to every socket, c.Rounds times, or for as long as c.For.
func (f *floor) write(c command) (report, error) {
	began := now()
	r := report{At: began}
	for round := 0; round < c.Rounds || c.For > 0 && now()-began < c.For; round++ {
		restamp(c.Frame, now())
		for _, fd := range f.fds {
			if err := writeAll(fd, c.Frame); err != nil {
				return r, err
			}
			r.N++
		}
	}
	r.Took = now() - began
	return r, nil
}

// writeAll waits for room where there is none. The runtime is not told of the
// call, which waits for nothing: the floor is to be as low as it can be.
func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, _, err := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch err {
		case 0:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(wait, int(patience/time.Millisecond)); err != nil && err != unix.EINTR {
				return fmt.Errorf("poll: %w", err)
			}
		default:
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
