package socket

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls here are on non-blocking descriptors and last microseconds.
// The runtime is not told of them: told, it takes the processor away from a
// goroutine that is 20 µs inside of one, has it queue for another, and keeps a
// thread of its own busy with looking; that is a tenth of what a delivery costs.

// rawWrite is write(2).
func rawWrite(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_WRITE, fd, p) }

// rawRead is read(2).
func rawRead(fd int, p []byte) (n int, err error) { return transfer(unix.SYS_READ, fd, p) }

func transfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
