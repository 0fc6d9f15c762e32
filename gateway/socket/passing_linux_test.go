package socket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newPassers are fronts that pass connections to one another: a request goes to the
// one whose number its field X-To has. Change is called for each before it starts.
func newPassers(t *testing.T, n int, change func(i int, p *Passing, h *http.Handler)) []*rig {
	t.Helper()
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	var all []*rig
	for i := range n {
		r := newRig(t, Options{Poller: "epoll"}, nil)
		web := httptest.NewUnstartedServer(r.web.Config.Handler)
		p := &Passing{Here: path(i), To: func(q *http.Request) int {
			if to, err := strconv.Atoi(q.Header.Get("X-To")); err == nil && to != i {
				return to
			}
			return -1
		}}
		for j := range n {
			p.Others = append(p.Others, path(j))
		}
		if change != nil {
			change(i, p, &web.Config.Handler)
		}
		f, err := r.srv.Front(web.Listener, FrontOptions{Path: "/v1/ws", Handler: web.Config.Handler, Passing: p})
		if err != nil {
			t.Fatal(err)
		}
		web.Listener.Close()
		web.Listener = f
		r.web.Close()
		web.Start()
		r.web = web
		all = append(all, r)
	}
	return all
}

// ask sends an upgrade that is some front's on a connection to r.
func (r *rig) ask(c net.Conn, to int, more string) {
	r.t.Helper()
	if _, err := io.WriteString(c, asking(to)+more); err != nil {
		r.t.Fatal(err)
	}
}

func asking(to int) string {
	return strings.Replace(plainRequest, "\r\n\r\n", fmt.Sprintf("\r\nX-To: %d\r\n\r\n", to), 1)
}

// upgrade opens a socket by way of r, which is some front's.
func (r *rig) upgrade(to int) *rawClient {
	r.t.Helper()
	c := r.connect()
	r.ask(c, to, "")
	c.answer(http.StatusSwitchingProtocols)
	return c
}

func (c *rawClient) answer(status int) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != status {
		c.t.Fatalf("answer %v, %v; want %d", resp, err, status)
	}
	if status != http.StatusSwitchingProtocols {
		io.Copy(io.Discard, resp.Body)
	}
}

// echo has a frame go there and back.
func (c *rawClient) echo(text string) {
	c.t.Helper()
	c.write(clientFrame(opText, []byte(text)))
	if f := c.frame(); string(f.payload) != text {
		c.t.Fatalf("echo of %q: %q", text, f.payload)
	}
}

func (r *rig) taken(how string) int {
	return r.metric(`feedgate_front_taken_total{result="` + how + `"}`)
}

func (r *rig) kept(why string) int {
	return r.metric(`feedgate_front_kept_total{reason="` + why + `"}`)
}

// watches is how many descriptors the server's epoll has.
func (r *rig) watches() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", r.srv.poller.(*epoll).ep.Fd()))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Count(string(b), "tfd:")
}

// A connection is served by the front whose it is: from its first byte, both ways, and
// the other knows nothing more of it.
func TestPass(t *testing.T) {
	both := newPassers(t, 2, nil)
	a, b := both[0], both[1]
	a.upgrade(1).echo("the way is there now")
	b.peer()
	before := a.watches()

	for _, first := range []string{"", string(clientFrame(opText, []byte("ahead")))} {
		for _, waits := range []bool{false, true} {
			c := a.connect()
			if waits {
				until(t, "it is in the lobby", func() bool { return a.lobby() == 1 })
			}
			a.ask(c, 1, first)
			c.answer(http.StatusSwitchingProtocols)
			if first != "" {
				if f := c.frame(); string(f.payload) != "ahead" {
					t.Fatalf("echo %q", f.payload)
				}
			}
			p := b.peer()
			if got := p.sock.RemoteAddr().String(); got != c.LocalAddr().String() {
				t.Errorf("its remote address is %s, want %s", got, c.LocalAddr())
			}
			c.echo("there and back")
			until(t, "the epoll of who passed it on has what it had before", func() bool { return a.watches() == before })
			c.Close()
			p.why()
		}
	}
	until(t, "all are counted", func() bool { return a.fronts("passed") == 5 }) // after they were passed
	if n := b.taken("good"); n != 5 || b.fronts("upgraded") != 5 {
		t.Errorf("%d taken, %d upgraded", n, b.fronts("upgraded"))
	}
	if n := a.lobby(); n != 0 || a.fronts("upgraded") != 0 {
		t.Errorf("%d are left in the lobby, %d were served there", n, a.fronts("upgraded"))
	}
	// Whose it is stays.
	a.upgrade(0).echo("here")
	a.peer()
	b.upgrade(0).echo("and back")
	a.peer()
}

// Two of which each takes the other for the right one do not play ball.
func TestPassOnce(t *testing.T) {
	both := newPassers(t, 2, func(i int, p *Passing, _ *http.Handler) {
		p.To = func(*http.Request) int { return 1 - i }
	})
	for i, r := range both {
		r.upgrade(9).echo("x")
		both[1-i].peer()
	}
	for i, r := range both {
		until(t, "it is counted", func() bool { return r.fronts("passed") == 1 })
		if n := r.fronts("upgraded"); n != 1 {
			t.Errorf("front %d served %d", i, n)
		}
	}
}

// What is refused there may ask for something else there.
func TestPassRefused(t *testing.T) {
	both := newPassers(t, 2, func(i int, _ *Passing, h *http.Handler) {
		*h = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			status := http.StatusOK
			if q.Header.Get("Upgrade") != "" {
				status = http.StatusServiceUnavailable
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, "%d%s", i, q.RemoteAddr)
		})
	})
	c := both[0].connect()
	want := "1" + c.LocalAddr().String()
	for _, ask := range []string{asking(1), "GET /else HTTP/1.1\r\nHost: a\r\n\r\n", "GET /again HTTP/1.1\r\nHost: a\r\n\r\n", asking(0)} {
		io.WriteString(c, ask)
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if upgrade := strings.Contains(ask, "Upgrade"); string(body) != want || upgrade != (resp.StatusCode == 503) {
			t.Fatalf("answer %d %q, want %q", resp.StatusCode, body, want)
		}
	}
	if n := both[1].fronts("refused"); n != 1 || both[1].fronts("handed") != 1 {
		t.Errorf("%d refused, %d handed", n, both[1].fronts("handed"))
	}
}

// Who is not there is found when it comes.
func TestPassToNobody(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "late")
	a := newPassers(t, 1, func(_ int, p *Passing, _ *http.Handler) { p.Others = []string{"", path} })[0]
	a.upgrade(1).echo("here")
	a.upgrade(0).echo("here")
	a.upgrade(7).echo("here")
	if n := a.kept("alone"); n != 1 || a.fronts("upgraded") != 3 {
		t.Errorf("%d were kept, %d served", n, a.fronts("upgraded"))
	}
	// One that takes them and dies, which is a reset for who was on the way.
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var lost []*rawClient
	until(t, "they are passed", func() bool {
		c := a.connect()
		a.ask(c, 1, "")
		lost = append(lost, c)
		until(t, "it is somewhere", func() bool { return a.fronts("passed")+a.fronts("upgraded") == 3+len(lost) })
		return a.fronts("passed") == 2
	})
	other, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	for _, c := range lost[len(lost)-2:] {
		if _, err := c.br.ReadByte(); err == nil {
			t.Error("who was on the way to a dead process was answered")
		}
	}
	l.Close()
	before := a.kept("alone")
	a.upgrade(1).echo("here again")
	if n := a.kept("alone"); n != before+1 {
		t.Errorf("%d kept since", n-before)
	}
}

// One that is full says so, and is left alone until there is room.
func TestPassFull(t *testing.T) {
	var mu sync.Mutex
	drains := false
	both := newPassers(t, 2, func(i int, p *Passing, _ *http.Handler) {
		if i == 1 {
			p.Most = onTheWay + 4
			p.Full = func() bool { mu.Lock(); defer mu.Unlock(); return drains }
		}
	})
	a, b := both[0], both[1]
	set := func(v bool) {
		mu.Lock()
		drains = v
		mu.Unlock()
		b.srv.Tell()
	}
	heard := func(full bool) func() bool {
		return func() (ok bool) {
			p := a.srv.poller.(*epoll)
			p.do(func() {
				for _, f := range p.lobby.fronts {
					ok = f.passing.ways[1].full == full
				}
			})
			return ok
		}
	}
	var held []*rawClient
	for range 4 {
		held = append(held, a.upgrade(1))
	}
	until(t, "it is full", heard(true))
	a.upgrade(1).echo("here")
	if n := a.kept("full"); n != 1 {
		t.Errorf("%d kept", n)
	}
	for _, c := range held {
		c.Close()
	}
	until(t, "it has room", func() bool {
		b.srv.Tell() // nothing else happens there
		return heard(false)()
	})
	a.upgrade(1).Close()

	set(true)
	until(t, "it drains", heard(true))
	a.upgrade(1).echo("here")
	if n := a.kept("full"); n != 2 {
		t.Errorf("%d kept", n)
	}
	set(false)
	until(t, "it takes more", heard(false))
	a.upgrade(1).echo("there")
	if n := b.fronts("upgraded"); n != len(held)+2 {
		t.Errorf("%d upgraded there", n)
	}
	// Who comes while it is full is told at once.
	set(true)
	s := dialHatch(t, b)
	var word [2]byte
	if n, err := unix.Read(s, word[:]); err != nil || string(word[:n]) != string(sayFull) {
		t.Errorf("told %q, %v", word[:n], err)
	}
}

// dialHatch is a way to b's hatch that waits.
func dialHatch(t *testing.T, b *rig) int {
	t.Helper()
	var path string
	p := b.srv.poller.(*epoll)
	p.do(func() {
		for _, f := range p.lobby.fronts {
			path = f.passing.path
		}
	})
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// gate has a front's poller stand still at an upgrade until it is opened.
type gate struct {
	reached, open chan struct{}
	once          sync.Once
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		g.once.Do(func() { close(g.reached) })
		<-g.open
		h.ServeHTTP(w, q)
	})
}

// What no longer fits on the way is served here; what is on it waits.
func TestPassQueueFull(t *testing.T) {
	g := newGate()
	both := newPassers(t, 2, func(i int, _ *Passing, h *http.Handler) {
		if i == 1 {
			*h = g.before(*h)
		}
	})
	a, b := both[0], both[1]
	var all []*rawClient
	for a.kept("queued") == 0 {
		if len(all) > onTheWay+2 {
			t.Fatalf("%d are on their way", len(all))
		}
		c := a.connect()
		a.ask(c, 1, "")
		all = append(all, c)
		until(t, "it is somewhere", func() bool { return a.fronts("passed")+a.fronts("upgraded") == len(all) })
	}
	if n := a.fronts("passed"); n < acceptsAtOnce {
		t.Errorf("only %d fit on the way", n)
	}
	close(g.open)
	for _, c := range all {
		c.answer(http.StatusSwitchingProtocols)
	}
	if n := a.fronts("passed"); b.taken("good") != n || b.fronts("upgraded") != n || n != len(all)-1 {
		t.Errorf("%d of %d passed, %d taken, %d served", n, len(all), b.taken("good"), b.fronts("upgraded"))
	}
}

// A front that closes serves what has been passed to it, and nobody waits for it.
func TestPassToOneThatCloses(t *testing.T) {
	g := newGate()
	both := newPassers(t, 2, func(i int, _ *Passing, h *http.Handler) {
		if i == 1 {
			*h = g.before(*h)
		}
	})
	a, b := both[0], both[1]
	var all []*rawClient
	for range acceptsAtOnce * 4 { // more than it takes before its turn to close
		c := a.connect()
		a.ask(c, 1, "")
		all = append(all, c)
	}
	until(t, "they are passed", func() bool { return a.fronts("passed") == len(all) })
	<-g.reached
	closed := make(chan struct{})
	go func() {
		b.web.Listener.Close()
		close(closed)
	}()
	p := b.srv.poller.(*epoll)
	until(t, "it is asked to close", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.asks) > 0
	})
	close(g.open)
	<-closed
	for _, c := range all {
		c.answer(http.StatusSwitchingProtocols)
		c.echo("served")
	}
	a.upgrade(1).echo("here")
	if n := a.kept("alone"); n != 1 {
		t.Errorf("%d kept", n)
	}
}

// One that stops answers what comes until the end of its own.
func TestPassToOneThatStops(t *testing.T) {
	both := newPassers(t, 2, nil)
	a, b := both[0], both[1]
	c := a.upgrade(1)
	stopped := make(chan error)
	go func() { stopped <- b.srv.Shutdown(t.Context()) }()
	until(t, "it stops", b.srv.reg.closed)
	late := a.connect()
	a.ask(late, 1, "")
	late.answer(http.StatusServiceUnavailable)
	c.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	a.upgrade(1).echo("here")
}

// What a process passes before it dies is served, even if it never listened.
func TestPassAndDie(t *testing.T) {
	both := newPassers(t, 2, func(i int, p *Passing, _ *http.Handler) { p.Full = func() bool { return i == 1 } })
	b := both[1]
	b.srv.Tell()
	s := dialHatch(t, b)
	until(t, "it was told, and does not know", func() bool {
		n, _, err := unix.Recvfrom(s, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return n == 1 && err == nil
	})
	stop := make(chan struct{})
	go b.srv.poller.(*epoll).do(func() { <-stop })
	clients, servers := loose(t)
	var l letter
	if err := l.send(s, servers, netip.MustParseAddrPort("192.0.2.7:99"), []byte(asking(1))); err != nil {
		t.Fatal(err)
	}
	unix.Close(s)
	unix.Close(servers)
	close(stop)
	c := &rawClient{t, clients, bufio.NewReader(clients)}
	c.answer(http.StatusSwitchingProtocols)
	c.echo("still there")
	if got := b.peer().sock.RemoteAddr().String(); got != "192.0.2.7:99" {
		t.Errorf("its remote address is %s", got)
	}
}

// loose is a connection that no front has accepted, and its descriptor at the other
// end, which does not block.
func loose(t *testing.T) (client *net.TCPConn, server int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raw, err := s.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { server, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), server
}

// What is no letter does no harm, and what came with it is closed.
func TestPassWhatIsNone(t *testing.T) {
	b := newPassers(t, 1, nil)[0]
	good := append(make([]byte, letterHead), asking(0)...)
	good[0] = letterVersion
	old := append([]byte(nil), good...)
	old[0]++
	for _, c := range []struct {
		name         string
		text         []byte
		fds          int
		bad, refused int
		ends         bool // of the way
	}{
		{name: "no descriptor", text: good, bad: 1},
		{name: "two", text: good, fds: 2, bad: 1},
		{name: "three", text: good, fds: 3, bad: 1},
		{name: "another version", text: old, fds: 1, bad: 1},
		{name: "too short", text: good[:letterHead-1], fds: 1, bad: 1},
		{name: "too long", text: append(append([]byte(nil), good...), make([]byte, requestRoom)...), fds: 1, bad: 1},
		{name: "only a descriptor", text: nil, fds: 1, bad: 1},
		{name: "no request", text: good[:letterHead], fds: 1, refused: 1},
		{name: "another request", text: append(good[:letterHead:letterHead], "what\r\n\r\n"...), fds: 1, refused: 1},
		{name: "nothing", text: nil, ends: true},
		{name: "two", text: good, fds: 2, bad: 1},
		{name: "three", text: good, fds: 3, bad: 1},
		{name: "another version", text: old, fds: 1, bad: 1},
		{name: "too short", text: good[:letterHead-1], fds: 1, bad: 1},
		{name: "too long", text: append(append([]byte(nil), good...), make([]byte, requestRoom)...), fds: 1, bad: 1},
		{name: "only a descriptor", text: nil, fds: 1, bad: 1},
		{name: "no request", text: good[:letterHead], fds: 1, refused: 1},
		{name: "another request", text: append(good[:letterHead:letterHead], "what\r\n\r\n"...), fds: 1, refused: 1},
		{name: "nothing", text: nil, ends: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := census(t)
			bad, handed := b.taken("bad"), b.fronts("handed")
			s := dialHatch(t, b)
			client, server := loose(t)
			var rights []byte
			if c.fds > 0 {
				fds := []int{server, server, server}
				rights = unix.UnixRights(fds[:c.fds]...)
			}
			if err := unix.Sendmsg(s, c.text, rights, nil, 0); err != nil {
				t.Fatal(err)
			}
			unix.Close(server)
			until(t, "it was looked at", func() bool {
				return b.taken("bad")-bad == c.bad && b.fronts("handed")-handed == c.refused
			})
			if c.refused > 0 {
				client.CloseWrite()
			}
			if _, err := io.Copy(io.Discard, client); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("what came with it is not closed")
			}
			client.Close()
			if c.ends {
				if n, err := unix.Read(s, make([]byte, 1)); n != 0 || err != nil {
					t.Errorf("read %d, %v", n, err)
				}
			} else {
				next, server := loose(t)
				var l letter
				if err := l.send(s, server, netip.AddrPort{}, []byte(asking(0))); err != nil {
					t.Fatal(err)
				}
				unix.Close(server)
				rc := &rawClient{t, next, bufio.NewReader(next)}
				rc.answer(http.StatusSwitchingProtocols)
				rc.Close()
				b.peer().why()
			}
			unix.Shutdown(s, unix.SHUT_RDWR)
			until(t, "only the test's own end is left", func() bool { return census(t).fds <= before.fds+1 })
		})
	}
}

// A descriptor of another kind ends like a connection that is none.
func TestPassNoConnection(t *testing.T) {
	b := newPassers(t, 1, nil)[0]
	s := dialHatch(t, b)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	var l letter
	if err := l.send(s, ends[0], netip.AddrPort{}, []byte(asking(0))); err != nil {
		t.Fatal(err)
	}
	unix.Close(ends[0])
	until(t, "it is gone", func() bool {
		_, err := unix.Write(ends[1], []byte("x"))
		return err == unix.EPIPE
	})
	b.upgrade(0).echo("and it goes on")
}

// With no descriptor left a connection that is passed here is lost, and the next is not.
func TestPassWithoutDescriptors(t *testing.T) {
	b := newPassers(t, 1, nil)[0]
	s := dialHatch(t, b)
	b.upgrade(0).echo("all that it needs is there")
	client, server := loose(t)
	next, other := loose(t)
	var l letter
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	free, err := unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	none := limit
	none.Cur = uint64(free) // the lowest that is free
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err := l.send(s, server, netip.AddrPort{}, []byte(asking(0))); err != nil {
		t.Fatal(err)
	}
	until(t, "it is lost", func() bool { return b.taken("lost") == 1 })
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	unix.Close(server)
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("it was answered")
	}
	if err := l.send(s, other, netip.AddrPort{}, []byte(asking(0))); err != nil {
		t.Fatal(err)
	}
	unix.Close(other)
	c := &rawClient{t, next, bufio.NewReader(next)}
	c.answer(http.StatusSwitchingProtocols)
	c.echo("this one is there")
}

// A hatch takes the place of a dead process's, and needs one.
func TestPassPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Poller: "epoll"}, nil)
	front := func(path string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := r.srv.Front(l, FrontOptions{Path: "/", Passing: &Passing{Here: path}})
		if err == nil {
			f.Close()
		}
		return err
	}
	if err := front(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is left behind")
	}
	if err := front(path + "/no/such"); err == nil {
		t.Error("a hatch nowhere")
	}
}

func TestLetter(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	room := make([]byte, requestRoom)
	var l letter
	for _, addr := range []string{"192.0.2.1:80", "[2001:db8::1]:65535"} {
		for _, size := range []int{1, 1000, requestRoom} {
			text := strings.Repeat("x", size)
			from := netip.MustParseAddrPort(addr)
			if err := l.send(ends[0], ends[0], from, []byte(text)); err != nil {
				t.Fatal(err)
			}
			n, fd, got, err := l.receive(ends[1], room)
			if err != nil || string(room[:n]) != text || got != from {
				t.Fatalf("%d bytes, %v, %v; want %d, %v", n, got, err, size, from)
			}
			unix.Close(fd)
		}
	}
	if _, _, _, err := l.receive(ends[1], room); err != unix.EAGAIN {
		t.Errorf("of nothing: %v", err)
	}
}
