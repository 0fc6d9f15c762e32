package rawnet_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// listener is a descriptor that listens on addr's IP, and its address.
func listener(t *testing.T, ip string) (fd int, addr netip.AddrPort) {
	t.Helper()
	family := unix.AF_INET
	if netip.MustParseAddr(ip).Is6() {
		family = unix.AF_INET6
	}
	fd = stream(t, family)
	if err := rawnet.Bind(fd, netip.AddrPortFrom(netip.MustParseAddr(ip), 0)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return fd, netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return fd, netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	t.Fatalf("a listener at %T", name)
	return 0, addr
}

func stream(t *testing.T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rawnet.Close(fd) })
	return fd
}

// A connection is made and accepted by calls alone, from an address that was chosen.
func TestCalls(t *testing.T) {
	ips := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil { // not everywhere
		l.Close()
		ips = append(ips, "::1")
	}
	for _, ip := range ips {
		t.Run(ip, func(t *testing.T) {
			l, at := listener(t, ip)
			if _, _, err := rawnet.Accept(l); err != unix.EAGAIN {
				t.Errorf("accept before anybody came: %v", err)
			}
			family, from := unix.AF_INET, "127.0.3.7"
			if at.Addr().Is6() {
				family, from = unix.AF_INET6, ip
			}
			c := stream(t, family)
			if err := rawnet.Bind(c, netip.AddrPortFrom(netip.MustParseAddr(from), 0)); err != nil {
				t.Fatal(err)
			}
			if err := rawnet.Setsockopt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
				t.Fatal(err)
			}
			if on, err := rawnet.Getsockopt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY); on != 1 || err != nil {
				t.Errorf("an option that was set is %d, %v", on, err)
			}
			if err := rawnet.Connect(c, at); err != nil && err != unix.EINPROGRESS {
				t.Fatal(err)
			}
			server := -1
			ep, events := newEpoll(t), make([]unix.EpollEvent, 8)
			if err := ep.Ctl(unix.EPOLL_CTL_ADD, l, 1<<40|7, unix.EPOLLIN); err != nil {
				t.Fatal(err)
			}
			if n := ep.Wait(events, time.Time{}); n != 1 || rawnet.ID(events[0]) != 1<<40|7 {
				t.Fatalf("%d events, the first with id %x", n, rawnet.ID(events[0]))
			}
			server, peer, err := rawnet.Accept(l)
			if err != nil || peer.Addr() != netip.MustParseAddr(from) || peer.Port() == 0 {
				t.Fatalf("accepted from %v: %v", peer, err)
			}
			if n, err := rawnet.Write(server, []byte("here")); n != 4 || err != nil {
				t.Errorf("write: %d, %v", n, err)
			}
			if err := rawnet.Close(server); err != nil {
				t.Error(err)
			}
			if err := rawnet.Close(server); err != unix.EBADF {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

// Who is not there is told as the kernel tells it.
func TestCallsFail(t *testing.T) {
	l, at := listener(t, "127.0.0.1")
	rawnet.Close(l)
	c := stream(t, unix.AF_INET)
	err := rawnet.Connect(c, at)
	for range 100 {
		if err != unix.EINPROGRESS {
			break
		}
		time.Sleep(time.Millisecond)
		no, failed := rawnet.Getsockopt(c, unix.SOL_SOCKET, unix.SO_ERROR)
		if failed != nil {
			t.Fatal(failed)
		}
		if no != 0 {
			err = unix.Errno(no)
		}
	}
	if err != unix.ECONNREFUSED {
		t.Errorf("nobody listens: %v", err)
	}
	if err := rawnet.Setsockopt(-1, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != unix.EBADF {
		t.Errorf("no descriptor: %v", err)
	}
	if _, err := rawnet.Getsockopt(c, unix.IPPROTO_TCP, 9999); !errors.Is(err, unix.ENOPROTOOPT) {
		t.Errorf("no option: %v", err)
	}
}
