//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds what is waited for outside of the measurements.
const patience = 60 * time.Second

// clockTick is USER_HZ, which Linux has fixed for all processes to see.
const clockTick = time.Second / 100

// process is one child, ended by stop.
type process struct {
	cmd   *exec.Cmd
	log   *logs
	ended chan struct{} // closed when it has ended
}

// logs keeps what a process wrote.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: &logs{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), env...)
	// Should this program be killed, nothing stays behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait() // stop looks at the state
		close(p.ended)
	}()
	return p, nil
}

func (p *process) stop(sig syscall.Signal) error {
	p.cmd.Process.Signal(sig)
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not stop", p.cmd.Path)
	}
}

// used is the processor time that the process has taken so far, to 10 ms.
func (p *process) used() (time.Duration, error) {
	name := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: %d fields", name, len(fields))
	}
	total := time.Duration(0)
	for _, f := range fields[11:13] { // user, system
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		total += time.Duration(ticks) * clockTick
	}
	return total, nil
}

// redis is a server that loses everything when it stops.
type redis struct {
	*process
	port int
	dir  string
}

func startRedis(dir string) (*redis, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &redis{port: l.Addr().(*net.TCPAddr).Port, dir: dir}
	l.Close()
	return r, r.start()
}

// start starts it, once more on the same port, and waits until it answers.
func (r *redis) start() (err error) {
	r.process, err = start(nil, "redis-server", "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", r.dir)
	if err != nil {
		return err
	}
	return eventually("redis answers", func() error {
		c, err := net.DialTimeout("tcp", r.addr(), time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func (r *redis) addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// node is one node of the cluster.
type node struct {
	*process
	name, addr, admin string
	service           string // a service token
	client            *http.Client
}

var readyLine = regexp.MustCompile(`msg=ready .*addr=(\S+) admin=(\S+)`)

func startNode(binary, name, service string, env []string) (*node, error) {
	n := &node{name: name, service: service}
	n.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: 20 * time.Second}
	var err error
	n.process, err = start(append(env, "FEEDGATE_NODE_ID="+name,
		"FEEDGATE_ADDR=127.0.0.1:0", "FEEDGATE_ADMIN_ADDR=127.0.0.1:0", "FEEDGATE_LOG_FORMAT=text"), binary)
	if err != nil {
		return nil, err
	}
	err = eventually(name+" is ready", func() error {
		if m := readyLine.FindStringSubmatch(n.log.String()); m != nil {
			n.addr, n.admin = m[1], m[2]
			return nil
		}
		return errors.New("no line says so")
	})
	if err != nil {
		n.cmd.Process.Kill()
		return nil, fmt.Errorf("%w\n%s", err, n.log)
	}
	return n, nil
}

func (n *node) keepLog(dir string) {
	if dir != "" {
		os.WriteFile(filepath.Join(dir, n.name+".log"), []byte(n.log.String()), 0o644) // for people
	}
}

// call makes a request as somebody, with the service token.
func (n *node) call(ctx context.Context, method, path, as string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.addr+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.service)
	req.Header.Set("Feedgate-User", as)
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, said)
	}
	return err
}

// get is a page of the admin listener.
func (n *node) get(path string) ([]byte, error) {
	resp, err := n.client.Get("http://" + n.admin + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, resp.StatusCode, b)
	}
	return b, err
}

// owners says who serves each shard.
func (n *node) owners() ([]string, error) {
	b, err := n.get("/cluster")
	if err != nil {
		return nil, err
	}
	var state struct {
		Shards []struct {
			Owner     string
			Residents int
		}
	}
	if err := json.Unmarshal(b, &state); err != nil {
		return nil, fmt.Errorf("/cluster: %w", err)
	}
	owners := make([]string, len(state.Shards))
	for i, s := range state.Shards {
		owners[i] = s.Owner
	}
	return owners, nil
}

// eventually repeats try until it succeeds or patience is over.
func eventually(what string, try func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited until %s: %w", what, err)
		}
	}
}
