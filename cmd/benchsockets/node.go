//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// node is the process that is measured.
type node struct {
	cmd     *exec.Cmd
	logs    *logs
	ended   chan struct{} // closed when it has ended
	addr    string
	admin   string
	service string // a service token
	client  *http.Client
}

// logs keeps what a node wrote.
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

var readyLine = regexp.MustCompile(`msg=ready .*addr=(\S+) admin=(\S+)`)

// startNode starts the binary on free ports and waits until it is ready. What env
// says counts before the environment.
func startNode(binary, dir, secret, service string, env ...string) (*node, error) {
	n := &node{cmd: exec.Command(binary), logs: &logs{}, ended: make(chan struct{}), service: service}
	n.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	n.cmd.Stderr = n.logs
	n.cmd.Env = append(os.Environ(),
		"FEEDGATE_ADDR=127.0.0.1:0", "FEEDGATE_ADMIN_ADDR=127.0.0.1:0", "FEEDGATE_LOG_FORMAT=text",
		"FEEDGATE_JWT_SECRET="+secret, "FEEDGATE_DATA="+filepath.Join(dir, "data"), "DATABASE_URL=", "REDIS_URL=")
	n.cmd.Env = append(n.cmd.Env, env...)
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	go func() {
		n.cmd.Wait() // stop looks at the state
		close(n.ended)
	}()
	for end := time.Now().Add(patience); ; {
		if m := readyLine.FindStringSubmatch(n.logs.String()); m != nil {
			n.addr, n.admin = m[1], m[2]
			return n, nil
		}
		select {
		case <-n.ended:
			return nil, fmt.Errorf("the node ended: %v\n%s", n.cmd.ProcessState, n.logs)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			n.cmd.Process.Kill()
			return nil, fmt.Errorf("the node is not ready\n%s", n.logs)
		}
	}
}

// stop ends the node and waits for it.
func (n *node) stop() error {
	n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.cmd.Process.Kill()
		<-n.ended
		return errors.New("the node did not stop")
	}
	if !n.cmd.ProcessState.Success() {
		return fmt.Errorf("the node: %v\n%s", n.cmd.ProcessState, n.logs)
	}
	return nil
}

func (n *node) pid() int { return n.cmd.Process.Pid }

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

func (n *node) post(ctx context.Context, as, text string) error {
	return n.call(ctx, "POST", "/v1/posts", as, map[string]string{"text": text})
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

// memory is what the node holds after a collection.
type memory struct {
	HeapAlloc  int64 `json:"heap_alloc"`
	HeapInuse  int64 `json:"heap_inuse"`
	StackInuse int64 `json:"stack_inuse"`
	rss        int64
}

func (n *node) memory() (m memory, err error) {
	b, err := n.get("/debug/memory")
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("/debug/memory: %w", err)
	}
	m.rss, err = statusOf(n.pid(), "VmRSS")
	return m, err
}

// metrics sums the series of each name.
func (n *node) metrics() (map[string]float64, error) {
	b, err := n.get("/metrics")
	if err != nil {
		return nil, err
	}
	sums := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ := strings.Cut(series, "{")
		var v float64
		if _, err := fmt.Sscan(value, &v); ok && err == nil {
			sums[name] += v
		}
	}
	return sums, nil
}

// ready asks /readyz and says how long the answer took.
func (n *node) ready() (time.Duration, error) {
	began := time.Now()
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + n.addr + "/readyz")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("/readyz: %d", resp.StatusCode)
	}
	return time.Since(began), nil
}
