package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/report"
)

// TestMain makes the test binary be a process of clients where it is asked to be.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == fleet.ChildArg {
		main()
		return
	}
	code := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

const (
	secret   = "a secret for tests, of 32 bytes or more"
	patience = 60 * time.Second
)

// build is the gateway's binary, made once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "feedgate-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gateway")
	out, err := exec.Command("go", "build", "-o", path, "../gateway").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// node is a real one, with the embedded database.
type node struct{ addr, admin string }

func startNode(t *testing.T) node {
	t.Helper()
	gateway, err := build()
	if err != nil {
		t.Fatal(err)
	}
	n := node{addr: freeAddr(t), admin: freeAddr(t)}
	log := &bytes.Buffer{}
	cmd := exec.Command(gateway)
	cmd.Env = append(os.Environ(), "FEEDGATE_ADDR="+n.addr, "FEEDGATE_ADMIN_ADDR="+n.admin, "FEEDGATE_DATA="+t.TempDir(), "FEEDGATE_JWT_SECRET="+secret,
		"DATABASE_URL=", "REDIS_URL=", "FEEDGATE_LOG_FORMAT=text")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // log is whole then
		if t.Failed() {
			t.Logf("the node's log:\n%.5000s", log)
		}
	})
	for end := time.Now().Add(patience); ; {
		resp, err := http.Get("http://" + n.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return n
			}
		}
		if time.Now().After(end) {
			t.Fatal("the node does not become ready")
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// loadgen runs the program.
func loadgen(ctx context.Context, t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(ctx, process{Args: args, Getenv: func(string) string { return secret }, Stdout: &out, Stderr: &errs, Spawn: fleet.Self})
	return out.String(), errs.String(), err
}

const small = `{"name":"small","duration":"3s","read_all":true,"quiet":"300ms","ramp":500,"steps":[
	{"do":"post","rate":60},{"do":"post","by":"celebrity","at":["1s"]},{"do":"read","rate":20},{"do":"feed","rate":10},
	{"do":"unfollow","rate":10,"for":"500ms"},{"do":"background","rate":10,"for":"500ms"},{"do":"drop","rate":10},{"do":"drop","at":["2s"],"share":0.5}]}`

func TestARealNodeIsWhole(t *testing.T) {
	n := startNode(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "small.json")
	if err := os.WriteFile(file, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--target", "ws://" + n.addr, "--metrics", "http://" + n.admin + "/metrics", "--conns", "120", "--following", "20",
		"--scenario", file, "--out", dir, "--name", "first"}
	stdout, stderr, err := loadgen(t.Context(), t, args...)
	if err != nil && !errors.Is(err, errNotOK) { // on a busy machine a run may be whole and not valid
		t.Fatalf("%v\n%s", err, stderr)
	}
	r, err := report.Read(filepath.Join(dir, "first.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Verdict.Whole || r.Ledger.Expected < 1000 || r.Ledger.Posts != 181 || r.Clients.Resumed == 0 || r.Server == nil || r.Latency.Live.N == 0 {
		t.Errorf("%s\n%+v\n%+v", stdout, r.Ledger, r.Clients)
	}
	if !strings.Contains(stderr, "seeded 120 users") {
		t.Errorf("the graph was not brought:\n%s", stderr)
	}
	page, err := os.ReadFile(filepath.Join(dir, "first.html"))
	if err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("the page: %v, %d bytes", err, len(page))
	}

	// The graph is there now, as it was; and the counters are not what they were.
	stdout, stderr, err = loadgen(t.Context(), t, append(args[:len(args)-1], "second")...)
	if err != nil && !errors.Is(err, errNotOK) {
		t.Fatal(err)
	}
	if strings.Contains(stderr, "seeded") || !strings.Contains(stdout, "deliveries") {
		t.Errorf("the second time:\n%s\n%s", stderr, stdout)
	}
	stdout, _, err = loadgen(t.Context(), t, "report", filepath.Join(dir, "first.json"), filepath.Join(dir, "second.json"))
	if err != nil || !strings.Contains(stdout, "small") || strings.Contains(stdout, "NOT WHOLE") {
		t.Errorf("%v\n%s", err, stdout)
	}
}

func TestAnInterruptedRunReportsWhatThereIs(t *testing.T) {
	n := startNode(t)
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	args := []string{"run", "--target", "ws://" + n.addr, "--conns", "50", "--following", "10", "--duration", "1h", "--out", dir, "--name", "x"}
	watch := make(chan struct{})
	go func() { // ends when the first posts are there
		defer close(watch)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			resp, err := http.Get("http://" + n.admin + "/metrics")
			if err != nil {
				continue
			}
			var b bytes.Buffer
			b.ReadFrom(resp.Body)
			resp.Body.Close()
			if strings.Contains(b.String(), `op="publish"`) {
				break
			}
		}
		interrupt()
	}()
	_, stderr, err := loadgen(ctx, t, args...)
	<-watch
	if !errors.Is(err, errNotOK) {
		t.Fatalf("%v\n%s", err, stderr)
	}
	r, err := report.Read(filepath.Join(dir, "x.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || !r.Verdict.Whole || r.Verdict.Valid || r.Ledger.Posts == 0 {
		t.Errorf("%+v %+v", r.Verdict, r.Ledger)
	}
}

func TestExitCodes(t *testing.T) {
	n := startNode(t)
	for name, c := range map[string]struct {
		want int
		args []string
	}{
		"help":               {0, []string{"--help"}},
		"no command":         {exitUsage, nil},
		"an unknown flag":    {exitUsage, []string{"run", "--fast"}},
		"an unknown scene":   {exitUsage, []string{"run", "--scenario", "opera"}},
		"an unknown fault":   {exitUsage, []string{"chaos", "--fault", "meteorite"}},
		"faults too late":    {exitUsage, []string{"chaos", "--every", "2h"}},
		"a wrong secret":     {exitNoRun, []string{"run", "--target", "ws://" + n.addr, "--secret", strings.Repeat("x", 40), "--conns", "2"}},
		"no such report":     {exitNoRun, []string{"report", "/nowhere/x.json"}},
		"no gateway":         {exitNoRun, []string{"chaos", "--gateway", "/nowhere/gateway"}},
		"an unknown command": {exitUsage, []string{"fly"}},
	} {
		_, stderr, err := loadgen(t.Context(), t, c.args...)
		if got := exitCode(err); got != c.want {
			t.Errorf("%s: %d, want %d (%v)\n%s", name, got, c.want, err, stderr)
		}
	}
}
