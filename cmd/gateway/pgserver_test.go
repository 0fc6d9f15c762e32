package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgServer is a Postgres of one test's own, to be stopped and started at will.
type pgServer struct {
	t    testing.TB
	dir  string
	port string
	as   *syscall.Credential // Postgres refuses to be run by root
	cmd  *exec.Cmd           // nil while it is stopped
	logs *logBuffer
}

// newPgServer makes a server's directory, and does not start it.
func newPgServer(t testing.TB) *pgServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "feedgate-pg") // not the test's, which only this user may enter
	if err != nil {
		t.Fatal(err)
	}
	s := &pgServer{t: t, dir: dir, port: freePort(t), logs: &logBuffer{}}
	t.Cleanup(func() {
		s.stop()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("Postgres says:\n%s", s.logs)
		}
	})
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := initdb.Run(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, s.logs)
	}
	return s
}

func (s *pgServer) data() string { return filepath.Join(s.dir, "data") }

func (s *pgServer) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%s/postgres?sslmode=disable", s.port)
}

// command is one of Postgres's, to be run as a user that may.
func (s *pgServer) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // where Debian keeps them
		if len(found) == 0 {
			s.t.Fatalf("this test starts a Postgres of its own and finds no %s", name)
		}
		path = slices.Max(found)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.logs, s.logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// start starts the server and waits until it answers.
func (s *pgServer) start() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", s.data(), "-p", s.port, "-k", s.dir, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "Postgres answers", func() bool {
		conn, err := pgx.Connect(s.t.Context(), s.url())
		if err != nil {
			return false
		}
		return conn.Close(s.t.Context()) == nil
	})
}

// stop ends the server and all its sessions as a crash does.
func (s *pgServer) stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGQUIT)
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case <-ended: // with an error: it was told to crash
	case <-time.After(patience):
		s.t.Error("Postgres does not stop")
		s.cmd.Process.Kill()
	}
	s.cmd = nil
}

// exec runs statements, one transaction each, in a session of its own.
func (s *pgServer) exec(statements ...string) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	for _, sql := range statements {
		if _, err := conn.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// lock runs do while a session holds what the statement locks.
func (s *pgServer) lock(statement string, do func()) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	for _, sql := range []string{"BEGIN", statement} {
		if _, err := conn.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
	do()
	if _, err := conn.Exec(s.t.Context(), "ROLLBACK"); err != nil {
		s.t.Fatal(err)
	}
}
