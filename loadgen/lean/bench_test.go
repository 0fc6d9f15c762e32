//go:build linux

package lean

import (
	"bytes"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// counted is a Handler that counts.
type counted struct {
	opened sync.WaitGroup
	texts  sync.WaitGroup
}

func (c *counted) Opened(*Conn)       { c.opened.Done() }
func (c *counted) Text(*Conn, []byte) { c.texts.Done() }
func (c *counted) Closed(*Conn, End)  {}

// bare is a server of descriptors: it is in the clients' process, and holds
// nothing on the heap that would count as theirs.
type bare struct {
	listener int
	fds      []int
}

func (s *bare) accept(b *testing.B) {
	fd, _, err := unix.Accept4(s.listener, unix.SOCK_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	request := make([]byte, 2048)
	n, err := unix.Read(fd, request)
	if err != nil || !bytes.HasSuffix(request[:n], []byte("\r\n\r\n")) {
		b.Fatalf("request: %q, %v", request[:max(n, 0)], err)
	}
	_, rest, _ := strings.Cut(string(request[:n]), "Sec-WebSocket-Key: ")
	unix.Write(fd, []byte("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		acceptFor(rest[:24])+"\r\nSec-WebSocket-Protocol: feedgate.v1.json\r\n\r\n"))
	s.fds = append(s.fds, fd)
}

// BenchmarkIdle tells what a connection holds that has been used and is idle:
// heap and stack of the process, handlers and loops not counted.
func BenchmarkIdle(b *testing.B) {
	const n = 5000
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	s := &bare{listener: listener, fds: make([]int, 0, n)}
	defer func() {
		for _, fd := range append(s.fds, listener) {
			unix.Close(fd)
		}
	}()
	if err := unix.Listen(listener, 100); err != nil { // on a port of the kernel's choice
		b.Fatal(err)
	}
	name, err := unix.Getsockname(listener)
	if err != nil {
		b.Fatal(err)
	}
	pool := newTestPool(b, Options{})
	to := at(b, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port})
	h := &counted{}
	h.opened.Add(n)
	h.texts.Add(n)

	before := memoryInUse()
	for range n {
		if _, err := pool.Dial(b.Context(), to, strings.Repeat("token", 40), h); err != nil {
			b.Fatal(err)
		}
		s.accept(b)
	}
	h.opened.Wait()
	frame := serverFrame(bitFin|opText, make([]byte, 200))
	for _, fd := range s.fds {
		unix.Write(fd, frame[:100])
		unix.Write(fd, frame[100:])
	}
	h.texts.Wait()
	after := memoryInUse()
	for b.Loop() { // nothing: a connection's memory is no matter of time
	}
	b.ReportMetric(float64(after-before)/n, "bytes/conn")
	b.ReportMetric(0, "ns/op")
}

func memoryInUse() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
