package socket

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkWriteWays compares the ways to send one frame of head, shared body and
// tail over loopback TCP, turn and turn about: the choice that Batch.Frame and
// parked.write made. It reports the median time of each, to be unmoved by what
// else the machine does.
//
//	copy     all into one buffer, write(2): what we do
//	writev   the three parts where they are
//	rawconn  copy, and write(2) through RawConn.Write of a net.Conn
func BenchmarkWriteWays(b *testing.B) {
	for _, size := range []int{150, 1500, 6000, 24000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			out, in := tcpPair(b)
			raw, err := out.SyscallConn()
			check(err)
			var fd, peer, n int
			raw.Control(func(f uintptr) { fd = int(f) })
			rawIn, err := in.SyscallConn()
			check(err)
			rawIn.Control(func(f uintptr) { peer = int(f) })

			var bt Batch
			body, head, tail := make([]byte, size), []byte(benchHead), []byte("}")
			attempt := func(fd uintptr) bool { n, err = unix.Write(int(fd), bt.buf); return true }
			ways := []func(){
				func() { bt.reset(); bt.Frame(head, body, tail); n, err = unix.Write(fd, bt.buf) },
				func() {
					bt.reset()
					bt.buf = append(appendTextHead(bt.buf, len(head)+len(body)+len(tail)), head...)
					n, err = unix.Writev(fd, [][]byte{bt.buf, body, tail})
				},
				func() { bt.reset(); bt.Frame(head, body, tail); raw.Write(attempt) },
			}
			took := make([][]time.Duration, len(ways))
			room := make([]byte, 1<<17)
			for b.Loop() {
				for i, way := range ways {
					t := time.Now()
					way()
					took[i] = append(took[i], time.Since(t))
					check(err)
					for n > 0 {
						k, err := unix.Read(peer, room)
						if err != unix.EAGAIN {
							check(err)
							n -= k
						}
					}
				}
			}
			for i, name := range []string{"copy", "writev", "rawconn"} {
				slices.Sort(took[i])
				b.ReportMetric(float64(took[i][len(took[i])/2].Nanoseconds()), name+"-ns")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func tcpPair(b *testing.B) (out, in *net.TCPConn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	check(err)
	d, err := ln.Accept()
	check(err)
	b.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}
