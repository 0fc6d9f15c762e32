package bustest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server process on a port of its own.
type Server struct {
	t    testing.TB
	port int
	args []string

	config []string // of a sentinel, in the place of what a server gets

	mu  sync.Mutex
	cmd *exec.Cmd // nil while it is killed
	out bytes.Buffer
}

// StartServer starts a redis-server that keeps nothing, and ends with the test. args
// are further arguments of its command line.
func StartServer(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, port: freePort(t), args: args}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// StartSentinel starts a sentinel that watches one master under a name, and
// thinks it dead after half a second.
func StartSentinel(t testing.TB, name string, master *Server) *Server {
	t.Helper()
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 500\n"+
		"sentinel failover-timeout %[1]s 2000\n", name, master.port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, port: freePort(t), config: []string{config, "--sentinel"}}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server's address for REDIS_URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Start starts it, empty, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	args := []string{"--save", "", "--appendonly", "no", "--dir", s.t.TempDir()}
	if s.config != nil {
		args = slices.Clone(s.config)
	}
	args = append(args, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1")
	args = append(args, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("redis-server: %v", err)
	}
	if !Eventually(s.answers) {
		s.t.Fatalf("redis-server does not answer: %s", s.out.String())
	}
}

// Kill kills it, as a crash would.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Freeze stops it without closing anything (SIGSTOP); Thaw has it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redis-server: %v: %v", sig, err)
	}
}

// Do runs one command and returns its answer as it came.
func (s *Server) Do(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(a), a)
	}
	buf := make([]byte, 64<<10)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

func (s *Server) answers() bool {
	out, err := s.Do("PING")
	return err == nil && out == "+PONG\r\n"
}

// Eventually looks at a condition until it holds, or for 15 s.
func Eventually(holds func() bool) bool {
	deadline := time.Now().Add(15 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ; time.Now().Before(deadline); <-tick.C {
		if holds() {
			return true
		}
	}
	return holds()
}

func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 55000 { // a Redis Cluster's nodes also listen 10,000 above
			return port
		}
	}
}
