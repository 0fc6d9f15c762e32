package socket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks' clients are a child process, so that its CPU and memory are
// not counted, nor its descriptors.
func TestMain(m *testing.M) {
	if spec := os.Getenv("FEEDGATE_SOCKET_CLIENTS"); spec != "" {
		runClients(spec)
		return
	}
	os.Exit(m.Run())
}

// runClients opens "addr n" sockets and discards what comes. For each number on
// stdin it waits until so many bytes have come in all; each command is answered
// with a line.
func runClients(spec string) {
	addr, num, _ := strings.Cut(spec, " ")
	n, _ := strconv.Atoi(num)
	ep, err := unix.EpollCreate1(0)
	check(err)
	for i := range n {
		d := net.Dialer{}
		if ap, err := net.ResolveTCPAddr("tcp", addr); err == nil && ap.IP.IsLoopback() {
			d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i/5000), 1)}
		}
		c, err := d.Dial("tcp", addr)
		check(err)
		q := handshake("http://"+addr, nil)
		check(q.Write(c))
		br := bufio.NewReader(c)
		resp, err := http.ReadResponse(br, q)
		check(err)
		if resp.StatusCode != 101 || br.Buffered() > 0 {
			panic(resp.Status)
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		check(err)
		raw.Control(func(fd uintptr) {
			check(unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
		})
		kept = append(kept, c)
	}
	fmt.Println("ready")
	var total atomic.Int64
	go func() {
		room, events := make([]byte, 64<<10), make([]unix.EpollEvent, 1024)
		for {
			k, _ := unix.EpollWait(ep, events, -1)
			for _, e := range events[:max(k, 0)] {
				if m, _ := unix.Read(int(e.Fd), room); m > 0 {
					total.Add(int64(m))
				} else if m == 0 {
					unix.EpollCtl(ep, unix.EPOLL_CTL_DEL, int(e.Fd), nil)
				}
			}
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if say, ok := strings.CutPrefix(in.Text(), "say "); ok { // one frame from each
			frame := clientFrame(opText, []byte(say))
			if say == "" {
				frame = clientFrame(opPing, nil)
			}
			for _, c := range kept {
				c.Write(frame)
			}
			fmt.Println("ok")
			continue
		}
		want, _ := strconv.ParseInt(in.Text(), 10, 64)
		for total.Load() < want {
			time.Sleep(200 * time.Microsecond)
		}
		fmt.Println("ok")
	}
}

var kept []net.Conn

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// clients is the child seen from the benchmark.
type clients struct {
	b     *testing.B
	in    io.Writer
	out   *bufio.Reader
	bytes int64 // sent to them so far
}

func startClients(b *testing.B, addr string, n int) *clients {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("FEEDGATE_SOCKET_CLIENTS=%s %d", addr, n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	c := &clients{b: b, in: in, out: bufio.NewReader(out)}
	c.line()
	return c
}

func (c *clients) line() {
	if _, err := c.out.ReadString('\n'); err != nil {
		c.b.Fatal("clients are gone: ", err)
	}
}

// drained waits until all that was sent has been read.
func (c *clients) drained() {
	fmt.Fprintln(c.in, c.bytes)
	c.line()
}

// say has every client send a text, or a ping.
func (c *clients) say(text string) {
	fmt.Fprintln(c.in, "say "+text)
	c.line()
}

func readFile(name string) string {
	b, err := os.ReadFile(name)
	check(err)
	return string(b)
}
