package rawnet

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is read(2) on a descriptor that does not block. Its errors are unix.Errno.
func Read(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_READ, fd, p) }

// Write is write(2) on a descriptor that does not block. Its errors are unix.Errno.
func Write(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_WRITE, fd, p) }

func transfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
