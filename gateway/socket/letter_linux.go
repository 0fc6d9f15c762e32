package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// letter is room for one message from front to front:
//
//	version 1 | peer's address 16 (RFC 4291, 2.5.5.2 for IPv4) | its port 2, big-endian | the request, as it was read
//
// with the connection's descriptor as its rights (unix(7), SCM_RIGHTS).
type letter struct {
	msg    unix.Msghdr
	parts  [2]unix.Iovec
	head   [letterHead]byte
	rights struct {
		unix.Cmsghdr
		fds [2]int32 // one, and room to see that it was two
	}
}

const (
	letterVersion = 1 // of the binary that a worker was started from, which may be newer than another's
	letterHead    = 1 + 16 + 2
	// letterRights is the size of rights with one descriptor.
	letterRights = unix.SizeofCmsghdr + 4
)

var (
	errNoRights = errors.New("no descriptors are left")
	errLetter   = errors.New("not a letter")
)

// send gives fd's connection away. The caller closes fd then, which is all it may do.
func (l *letter) send(to, fd int, remote netip.AddrPort, request []byte) error {
	a := remote.Addr().As16()
	l.head[0] = letterVersion
	copy(l.head[1:], a[:])
	binary.BigEndian.PutUint16(l.head[1+len(a):], remote.Port())
	l.rights.Level, l.rights.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
	l.rights.SetLen(letterRights)
	l.rights.fds = [2]int32{int32(fd)}
	l.point(request)
	l.msg.SetControllen(letterRights)
	for {
		_, err := l.call(unix.SYS_SENDMSG, to, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// receive takes a letter out of a queue; n bytes of its request are in room then.
// The error is the system's, io.EOF, or wraps errNoRights or errLetter: then one letter
// has been taken, and what was in it closed.
func (l *letter) receive(from int, room []byte) (n, fd int, remote netip.AddrPort, err error) {
	l.rights.fds = [2]int32{}
	l.point(room)
	l.msg.SetControllen(int(unsafe.Sizeof(l.rights)))
	n, err = l.call(unix.SYS_RECVMSG, from, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, -1, remote, err
	}
	fds := l.descriptors()
	switch {
	case n == 0 && len(fds) == 0 && l.msg.Flags&unix.MSG_CTRUNC == 0:
		return 0, -1, remote, io.EOF
	case l.msg.Flags&unix.MSG_CTRUNC != 0 && len(fds) < len(l.rights.fds):
		err = errNoRights
	case len(fds) != 1 || l.msg.Flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0 || n < letterHead || l.head[0] != letterVersion:
		err = fmt.Errorf("%w: %d bytes, %d descriptors, flags %#x, version %d", errLetter, n, len(fds), l.msg.Flags, l.head[0])
	}
	if err != nil {
		for _, fd := range fds {
			rawnet.Close(int(fd))
		}
		return 0, -1, remote, err
	}
	addr := netip.AddrFrom16([16]byte(l.head[1:])).Unmap()
	return n - letterHead, int(fds[0]), netip.AddrPortFrom(addr, binary.BigEndian.Uint16(l.head[1+16:])), nil
}

// descriptors are those of the letter that was received last.
func (l *letter) descriptors() []int32 {
	if l.msg.Controllen < letterRights || l.rights.Level != unix.SOL_SOCKET || l.rights.Type != unix.SCM_RIGHTS {
		return nil
	}
	n := (int(l.rights.Len) - unix.SizeofCmsghdr) / 4
	return l.rights.fds[:min(n, len(l.rights.fds))]
}

// point has the message be the head, then request, and its rights.
func (l *letter) point(request []byte) {
	l.parts[0].Base = &l.head[0]
	l.parts[0].SetLen(len(l.head))
	l.parts[1].Base = unsafe.SliceData(request)
	l.parts[1].SetLen(len(request))
	l.msg = unix.Msghdr{Iov: &l.parts[0], Control: (*byte)(unsafe.Pointer(&l.rights))}
	l.msg.SetIovlen(len(l.parts))
}

// call makes a system call of which the runtime is not told: see package rawnet.
func (l *letter) call(call uintptr, fd int, flags uintptr) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&l.msg)), flags)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
