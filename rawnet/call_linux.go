package rawnet

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls, on descriptors that do not block. Their errors are unix.Errno.

// Read is read(2).
func Read(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_READ, fd, p) }

// Write is write(2).
func Write(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_WRITE, fd, p) }

func transfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Close is close(2), of what does not linger.
func Close(fd int) error {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return failed(errno)
}

// Setsockopt is setsockopt(2) for an option that is a number.
func Setsockopt(fd, level, option, value int) error {
	v := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0)
	return failed(errno)
}

// Getsockopt is getsockopt(2) for an option that is a number.
func Getsockopt(fd, level, option int) (value int, err error) {
	var v int32
	size := uint32(unsafe.Sizeof(v))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&size)), 0)
	return int(v), failed(errno)
}

func failed(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
