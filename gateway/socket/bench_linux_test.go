package socket

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// benchPeer is the leanest handler: it counts what is pending, all of it the
// same shared body with a head of its own.
type benchPeer struct {
	sock    *Socket
	pending atomic.Int32
	body    []byte
}

func (p *benchPeer) Fill(b *Batch) {
	for n := p.pending.Swap(0); n > 0; n-- {
		b.Frame([]byte(benchHead), p.body, []byte("}"))
	}
}
func (p *benchPeer) Frame([]byte)       {}
func (p *benchPeer) Timer(time.Time)    {}
func (p *benchPeer) Fault(Fault)        {}
func (p *benchPeer) Closed(CloseReason) {}

const benchHead = `{"n":1043,"unread":{"feed":4,"v":881},"event":`

// bench is a server with many sockets.
type bench struct {
	srv   *Server
	peers []*benchPeer
	*clients
}

func newBench(b *testing.B, poller string, n, frame int) *bench {
	srv, err := NewServer(Options{Poller: poller})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, frame-4-len(benchHead)-1)
	peers := make(chan *benchPeer, n)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		srv.Accept(w, q, AcceptOptions{Subprotocols: []string{testProtocol}, Handler: func(s *Socket) Handler {
			p := &benchPeer{sock: s, body: body}
			peers <- p
			return p
		}})
	})}
	var wg sync.WaitGroup
	wg.Go(func() { web.Serve(ln) })
	be := &bench{srv: srv, clients: startClients(b, ln.Addr().String(), n)}
	for range n {
		be.peers = append(be.peers, <-peers)
	}
	b.Cleanup(func() {
		web.Close()
		wg.Wait()
		for _, p := range be.peers {
			p.sock.Abort(CloseAborted)
		}
		srv.Shutdown(b.Context())
	})
	return be
}

// cpu is what the process has used so far, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDelivery compares one 200-byte frame to each of the sockets with a
// bare loop of write(2) over the same descriptors, turn and turn about. The
// clients have read everything before the next round.
func BenchmarkDelivery(b *testing.B) {
	for _, n := range []int{2000, 15000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			be := newBench(b, "epoll", n, 200)
			frame := make([]byte, 200)
			bare := func() {
				for _, p := range be.peers {
					if _, err := unix.Write(p.sock.link.(*parked).fd, frame); err != nil {
						b.Fatal(err)
					}
				}
			}
			ours := func() {
				for _, p := range be.peers {
					p.pending.Add(1)
					p.sock.Wake()
				}
			}
			be.measure(b, []string{"bare", "socket"}, []func(){bare, ours}, n*200)
		})
	}
}

// measure runs the ways in turn and reports the CPU each took per socket, and
// the ratio to the first.
func (be *bench) measure(b *testing.B, names []string, ways []func(), bytes int) {
	used := make([]time.Duration, len(ways))
	took := make([]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			c0, t0 := cpu(), time.Now()
			way()
			be.bytes += int64(bytes)
			be.drained()
			used[i] += cpu() - c0
			took[i] += time.Since(t0)
		}
	}
	for i, name := range names {
		b.ReportMetric(float64(used[i].Nanoseconds())/float64(b.N*len(be.peers)), name+"-cpu-ns")
		if i > 0 {
			b.ReportMetric(float64(used[i])/float64(used[0]), name+"-cpu-ratio")
			b.ReportMetric(float64(took[i])/float64(took[0]), name+"-time-ratio")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// inbound has every client send one frame, which costs answer bytes in return, and
// waits until all is done.
func (be *bench) inbound(text string, answer int) {
	want := be.srv.metrics.framesIn.Get() + uint64(len(be.peers))
	be.say(text)
	for be.srv.metrics.framesIn.Get() < want {
		time.Sleep(time.Millisecond)
	}
	be.bytes += int64(answer * len(be.peers))
	be.drained()
}

// BenchmarkInbound reports what a frame from the client costs: an ack, as after a
// heartbeat, and a ping with its pong.
func BenchmarkInbound(b *testing.B) {
	for _, poller := range []string{"epoll", "goroutine"} {
		b.Run(poller, func(b *testing.B) {
			be := newBench(b, poller, 2000, 200)
			var ack, ping time.Duration
			for b.Loop() {
				c := cpu()
				be.inbound(`{"ack":1043}`, 0)
				ack += cpu() - c
				c = cpu()
				be.inbound("", 2)
				ping += cpu() - c
			}
			n := float64(b.N * len(be.peers))
			b.ReportMetric(float64(ack.Nanoseconds())/n, "ack-cpu-ns")
			b.ReportMetric(float64(ping.Nanoseconds())/n, "ping-cpu-ns")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkIdle reports what an idle connection holds, and what its handshake took.
func BenchmarkIdle(b *testing.B) {
	for _, poller := range []string{"epoll", "goroutine"} {
		b.Run(poller, func(b *testing.B) {
			const n = 5000
			before, rss := memory()
			c := cpu()
			be := newBench(b, poller, n, 200)
			shook := cpu() - c
			be.inbound("", 2) // wakes each once: what that leaves behind is counted
			after, rss2 := memory()
			for b.Loop() {
			}
			b.ReportMetric(float64(shook.Nanoseconds())/n, "handshake-cpu-ns")
			b.ReportMetric(float64(after-before)/n, "heap+stack-bytes/conn")
			b.ReportMetric(float64(rss2-rss)/n, "rss-bytes/conn")
			runtime.KeepAlive(be)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// memory is heap and stacks in use, and resident memory, after what is free went
// back to the system.
func memory() (used, rss int64) {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var pages int64
	fmt.Sscanf(readFile("/proc/self/statm"), "%d %d", new(int64), &pages)
	return int64(m.HeapAlloc + m.StackInuse), pages * int64(syscall.Getpagesize())
}
