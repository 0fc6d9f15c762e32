package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Postgres is a server of its own.
type Postgres struct {
	dir  string
	port int
	as   *syscall.Credential // nil: we are not root
	run  *child
}

// NewPostgres makes a server's directory below dir, and starts the server.
func NewPostgres(dir string) (*Postgres, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: filepath.Join(dir, "postgres"), port: port}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if os.Geteuid() == 0 {
		if p.as, err = credential("postgres"); err != nil {
			return nil, err
		}
		if err := os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	cmd, err := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
	if err != nil {
		return nil, err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cluster: initdb: %w\n%s", err, out)
	}
	return p, p.Start()
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// URL is how nodes reach it.
func (p *Postgres) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

func (p *Postgres) command(name string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // where Debian keeps them
		if len(found) == 0 {
			return nil, fmt.Errorf("cluster: there is no %s here: install a Postgres server", name)
		}
		path = slices.Max(found)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd, nil
}

// Start starts the server and waits until it takes connections. Commits are durable;
// buffers are as many and checkpoints as far apart as on a server that is made for the
// load: with 256 MB of buffers an eighth of what it did for views was fetching pages
// that it had just had (perf, 100,000 users who follow 50).
func (p *Postgres) Start() error {
	cmd, err := p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-k", p.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "shared_buffers=1GB",
		"-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min")
	if err != nil {
		return err
	}
	if p.run, err = start("Postgres", filepath.Join(filepath.Dir(p.dir), "postgres.log"), cmd); err != nil {
		return err
	}
	return p.run.until(func() bool {
		check, err := p.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port))
		return err == nil && check.Run() == nil
	})
}

// Stop ends the server and all its sessions, in an orderly way.
func (p *Postgres) Stop() error { return p.run.end(syscall.SIGINT) }

// Resident is its memory in bytes.
func (p *Postgres) Resident() int64 { return resident(p.run.cmd.Process.Pid) }

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("cluster: Postgres cannot be run by root: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// Redis is a server of its own, that keeps nothing.
type Redis struct {
	dir  string
	port int
	run  *child
}

// NewRedis starts a server.
func NewRedis(dir string) (*Redis, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &Redis{dir: dir, port: port}
	return r, r.Start()
}

// URL is how nodes reach it.
func (r *Redis) URL() string { return fmt.Sprintf("redis://127.0.0.1:%d/0", r.port) }

// Start starts the server and waits until it answers.
func (r *Redis) Start() (err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("cluster: there is no redis-server here: install Redis")
	}
	// As docs/operations.md tells to: a node that is starved for seconds is not to
	// be cut off for what it has not read.
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--save", "", "--appendonly", "no", "--dir", r.dir,
		"--client-output-buffer-limit", "pubsub 256mb 128mb 60")
	if r.run, err = start("Redis", filepath.Join(r.dir, "redis.log"), cmd); err != nil {
		return err
	}
	return r.run.until(r.answers)
}

func (r *Redis) answers() bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(r.port), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	b := make([]byte, 16)
	n, err := conn.Read(b)
	return err == nil && strings.HasPrefix(string(b[:n]), "+PONG")
}

// Kill ends the server as a crash does.
func (r *Redis) Kill() error { return r.run.end(syscall.SIGKILL) }

// Resident is its memory in bytes.
func (r *Redis) Resident() int64 { return resident(r.run.cmd.Process.Pid) }
