//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/gateway"
)

// sharePort lets several processes of one user listen on one port: the system
// spreads connections over them.
func sharePort(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, set)
}

// makeTurns makes a file without a name, for turnsIn.
func makeTurns() (*os.File, error) {
	f, err := unnamed("turns")
	if err == nil {
		err = f.Truncate(int64(unsafe.Sizeof(gateway.Turns{})))
	}
	return f, err
}

// turnsIn is what the file has, which it closes: memory that is the same in all processes.
// It stays as long as the process.
func turnsIn(f *os.File) (*gateway.Turns, error) {
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(gateway.Turns{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return (*gateway.Turns)(unsafe.Pointer(unsafe.SliceData(b))), nil
}

// apart keeps a terminal's Ctrl-C from a worker: its parent tells it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// raiseDescriptors lets the process have as many descriptors as it may, and says
// how many that are; 0: there is no such limit.
func raiseDescriptors() (limit uint64, err error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	if l.Cur < l.Max {
		most := l
		most.Cur = most.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
			return uint64(l.Cur), err
		}
		l = most
	}
	return uint64(l.Cur), nil
}
