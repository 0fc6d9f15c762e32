package rawnet

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Epoll is an epoll instance, with a way to end a wait.
//
// The instance is itself a descriptor in the runtime's poller, so that its goroutine
// waits as goroutines do. A thread of its own inside epoll_wait would cost every
// wake-up the hand-over of a processor, and the runtime's monitor would look after it
// every 20 µs: a tenth of what handshakes cost.
type Epoll struct {
	fd     int
	wakeFd int      // an eventfd
	file   *os.File // of fd
	raw    syscall.RawConn

	// Of Wait.
	look   func(uintptr) bool
	events []unix.EpollEvent
	n      int
	err    error
	alarm  time.Time // when file's deadline ends the wait; zero: not
}

// NewEpoll makes one. It is to be closed.
func NewEpoll() (*Epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	e := &Epoll{fd: fd}
	e.look = e.take // once: a method value is an allocation
	if err = e.join(); err != nil {
		return nil, fmt.Errorf("epoll in the runtime's poller: %w", err)
	}
	if e.wakeFd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		e.file.Close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err = e.Ctl(unix.EPOLL_CTL_ADD, e.wakeFd, 0, unix.EPOLLIN); err != nil {
		e.Close()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return e, nil
}

// join puts the instance into the runtime's poller, or closes it.
func (e *Epoll) join() error {
	err := unix.SetNonblock(e.fd, true) // else os takes it for a file that cannot be polled
	file := os.NewFile(uintptr(e.fd), "epoll")
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails when the poller does not have it
	}
	if err == nil {
		e.raw, err = file.SyscallConn()
	}
	if err != nil {
		file.Close()
	}
	e.file = file
	return err
}

// Ctl is epoll_ctl(2): what is told of fd, with an id that is not 0.
func (e *Epoll) Ctl(op, fd int, id uint64, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(id), Pad: int32(id >> 32)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(e.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	return failed(errno)
}

// Fd is the instance's own descriptor.
func (e *Epoll) Fd() int { return e.fd }

// ID is the id that an event came with.
func ID(event unix.EpollEvent) uint64 {
	return uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32
}

// Wait waits until there are events, and says how many; a Wake is one with the id 0.
// It may end without any: not long after due, unless that is zero, or before; when due
// has passed, without a look at what there is. One goroutine may wait at a time.
func (e *Epoll) Wait(events []unix.EpollEvent, due time.Time) int {
	if !due.IsZero() && (e.alarm.IsZero() || due.Before(e.alarm)) {
		e.alarm = due // one that is too early is cheaper than one for each due
		e.file.SetReadDeadline(due)
	}
	e.events, e.n = events, 0
	err := e.raw.Read(e.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		e.alarm, err = time.Time{}, e.file.SetReadDeadline(time.Time{})
	}
	if err = errors.Join(err, e.err); err != nil {
		// Not possible with a valid descriptor; without it no connection lives.
		panic(fmt.Sprintf("rawnet: epoll_wait: %v", err))
	}
	return e.n
}

// take takes what there is to tell. It says whether that was anything.
func (e *Epoll) take(uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(unsafe.SliceData(e.events))),
		uintptr(len(e.events)), 0, 0, 0)
	switch errno {
	case 0:
	case unix.EINTR:
		return true
	default:
		e.err = errno
		return true
	}
	e.n = int(n)
	for _, event := range e.events[:e.n] {
		if ID(event) == 0 {
			var count [8]byte
			Read(e.wakeFd, count[:])
		}
	}
	return e.n > 0
}

// Wake ends a wait, or the next one. It must not be called after Close.
func (e *Epoll) Wake() { Write(e.wakeFd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Close closes the instance, when nobody waits any more.
func (e *Epoll) Close() {
	e.file.Close()
	Close(e.wakeFd)
}
