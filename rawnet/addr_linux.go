package rawnet

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accept is accept4(2); the connection does not block either. The address is zero when
// it is no IP's.
func Accept(fd int) (conn int, from netip.AddrPort, err error) {
	var addr unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&addr)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, from, errno
	}
	return int(n), addrPortOf(&addr), nil
}

// Bind is bind(2).
func Bind(fd int, to netip.AddrPort) error { return address(unix.SYS_BIND, fd, to) }

// Connect is connect(2): unix.EINPROGRESS is its usual answer.
func Connect(fd int, to netip.AddrPort) error { return address(unix.SYS_CONNECT, fd, to) }

func address(call uintptr, fd int, addr netip.AddrPort) error {
	var raw unix.RawSockaddrAny
	size := sockaddr(&raw, addr)
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&raw)), size)
	return failed(errno)
}

// sockaddr sets raw to the address, and says how many bytes of it count.
func sockaddr(raw *unix.RawSockaddrAny, addr netip.AddrPort) (size uintptr) {
	if ip := addr.Addr(); !ip.Is4() {
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		a.Family, a.Addr = unix.AF_INET6, ip.As16()
		binary.BigEndian.PutUint16(port(&a.Port), addr.Port())
		return unix.SizeofSockaddrInet6
	}
	a := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
	a.Family, a.Addr = unix.AF_INET, addr.Addr().As4()
	binary.BigEndian.PutUint16(port(&a.Port), addr.Port())
	return unix.SizeofSockaddrInet4
}

// addrPortOf is the address, zero when it is no IP's.
func addrPortOf(raw *unix.RawSockaddrAny) netip.AddrPort {
	switch raw.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), binary.BigEndian.Uint16(port(&a.Port)))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), binary.BigEndian.Uint16(port(&a.Port)))
	}
	return netip.AddrPort{}
}

// port is a port's bytes, in the network's order.
func port(p *uint16) []byte { return (*[2]byte)(unsafe.Pointer(p))[:] }
