package socket

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newFront is a rig whose server also has a front with h, and its URL.
func newFront(t *testing.T, wait time.Duration, h http.HandlerFunc) (*rig, *httptest.Server) {
	r := newRig(t, Options{}, nil)
	web := httptest.NewUnstartedServer(h)
	if h == nil {
		web.Config.Handler = r.web.Config.Handler
	}
	f, err := r.srv.Front(web.Listener, FrontOptions{Path: "/v1/ws", Handler: web.Config.Handler, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	web.Listener.Close()
	web.Listener = f
	web.Start()
	t.Cleanup(web.Close)
	return r, web
}

func (r *rig) fronts(end string) int { return r.metric(`feedgate_front_total{end="` + end + `"}`) }

// dialTCP opens a connection that sends nothing yet.
func dialTCP(t *testing.T, web *httptest.Server) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// Who sends nothing is sent away after Wait; who leaves first is forgotten.
func TestFrontSilence(t *testing.T) {
	r, web := newFront(t, 300*time.Millisecond, nil)
	began := time.Now()
	silent, gone, reset := dialTCP(t, web), dialTCP(t, web), dialTCP(t, web)
	until(t, "all are in the lobby", func() bool { return r.lobby() == 3 })
	gone.Close()
	reset.SetLinger(0)
	reset.Close()
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if d := time.Since(began); d < 300*time.Millisecond {
		t.Errorf("sent away after %v", d)
	}
	until(t, "all are counted", func() bool { return r.fronts("silent") == 1 && r.fronts("gone") == 2 })
	if n := r.lobby(); n != 0 {
		t.Errorf("%d are left in the lobby", n)
	}
}

// lobby is how many are in it.
func (r *rig) lobby() (n int) {
	p := r.srv.poller.(*epoll)
	p.do(func() { n = len(p.lobby.visitors) })
	return n
}

// Close ends those who have sent nothing, and Accept.
func TestFrontClose(t *testing.T) {
	r, web := newFront(t, 0, nil)
	c := dialTCP(t, web)
	until(t, "it is in the lobby", func() bool { return r.lobby() == 1 })
	if err := web.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("still there")
	}
	if _, err := web.Listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Accept: %v", err)
	}
	if c, err := net.Dial("tcp", web.Listener.Addr().String()); err == nil {
		c.Close()
		t.Fatal("somebody listens")
	}
}

// What is not an upgrade is answered by net/http, on a connection that is then its own.
func TestFrontLeavesTheRest(t *testing.T) {
	r, web := newFront(t, 0, func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		io.WriteString(w, q.Method+q.URL.String()+string(body))
	})
	for range 3 { // keep-alive
		resp, err := http.Post(web.URL+"/x?y", "text/plain", strings.NewReader(strings.Repeat("z", 100_000)))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if len(body) != 100_000+len("POST/x?y") {
			t.Fatalf("answer %.100q", body)
		}
	}
	if n := r.fronts("handed"); n != 1 {
		t.Errorf("%d connections were handed on", n)
	}
	// A handler that answers an upgrade with something else may be asked again.
	c := dialTCP(t, web)
	io.WriteString(c, plainRequest+"GET /again HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil || strings.Count(string(all), "HTTP/1.1 200 OK\r\n") != 2 ||
		!strings.Contains(string(all), "\r\n\r\nGET/v1/wsHTTP") || !strings.HasSuffix(string(all), "\r\n\r\nGET/again") {
		t.Fatalf("answers %q, %v", all, err)
	}
	if n := r.fronts("refused"); n != 1 {
		t.Errorf("%d upgrades were refused", n)
	}
}

// A handler that asks for it has its connection closed after the answer; one that
// panics ends its connection and nothing else.
func TestFrontCloses(t *testing.T) {
	_, web := newFront(t, 0, func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("X-Panic") != "" {
			panic("as asked")
		}
		w.Header().Set("Connection", "close")
		http.Error(w, "no", http.StatusServiceUnavailable)
	})
	for _, text := range []string{plainRequest, strings.Replace(plainRequest, "\r\n\r\n", "\r\nX-Panic: 1\r\n\r\n", 1), plainRequest} {
		c := dialTCP(t, web)
		io.WriteString(c, text)
		all, err := io.ReadAll(c)
		want := "HTTP/1.1 503 Service Unavailable\r\n"
		if strings.Contains(text, "Panic") {
			want = ""
		}
		if err != nil || !strings.HasPrefix(string(all), want) || want == "" && len(all) > 0 {
			t.Fatalf("answer %q, %v", all, err)
		}
	}
}

// The connections have TCP_NODELAY from the listener.
func TestFrontNoDelay(t *testing.T) {
	r, web := newFront(t, 0, nil)
	dialTCP(t, web)
	until(t, "it is in the lobby", func() bool { return r.lobby() == 1 })
	p := r.srv.poller.(*epoll)
	p.do(func() {
		for fd := range p.lobby.visitors {
			if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || on == 0 {
				t.Errorf("TCP_NODELAY %d, %v", on, err)
			}
		}
	})
}

// With no descriptor left the front waits, and goes on when there is one.
func TestFrontWithoutDescriptors(t *testing.T) {
	r, web := newFront(t, 0, nil)
	c := dialTCP(t, web) // before there is none for it either
	until(t, "it is in the lobby", func() bool { return r.lobby() == 1 })
	other, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)

	var limit, none syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	none = limit
	none.Cur = uint64(len(fds)) - 1 // that of the directory is free again, at the most
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	port := web.Listener.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(other, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	p := r.srv.poller.(*epoll)
	until(t, "the front waits", func() (waits bool) {
		p.do(func() {
			for _, f := range p.lobby.fronts {
				waits = waits || !f.paused.IsZero()
			}
		})
		return waits
	})
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	until(t, "it goes on", func() bool { return r.lobby() == 2 })
	c.Close()
}
