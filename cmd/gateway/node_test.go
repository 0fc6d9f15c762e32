package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// patience bounds every wait of these tests. Reaching it is a failure.
const patience = 60 * time.Second

// node is a running feedgate, in this process or in a child.
type node struct {
	t     testing.TB
	env   env
	addr  string // of the public listener
	admin string
	logs  *logBuffer
	stop  func() error // graceful; the error that run returned

	mu      sync.Mutex
	devices []*client // that were ever dialed
}

// hangUpAndStop is stop after all devices have hung up: it need not wait for their
// answer to its close.
func (n *node) hangUpAndStop() {
	n.t.Helper()
	n.mu.Lock()
	for _, c := range n.devices {
		c.drop()
	}
	n.mu.Unlock()
	if err := n.stop(); err != nil {
		n.t.Error(err)
	}
}

// onEach runs a test on both databases; e configures nodes for one of them.
func onEach(t *testing.T, test func(t *testing.T, e env)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteEnv(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, baseEnv().with(env{"DATABASE_URL": storagetest.Postgres(t)}))
	})
}

func baseEnv() env {
	return env{
		"FEEDGATE_ADDR": "127.0.0.1:0", "FEEDGATE_ADMIN_ADDR": "127.0.0.1:0",
		"FEEDGATE_JWT_SECRET": testSecret, "FEEDGATE_SHARDS": "16",
		"FEEDGATE_LOG_LEVEL": "debug", "FEEDGATE_LOG_FORMAT": "text",
	}
}

func sqliteEnv(t testing.TB) env {
	return baseEnv().with(env{"FEEDGATE_DATA": filepath.Join(t.TempDir(), "data")})
}

// start runs a node in this process, by the same run that main calls, until the
// test ends or its stop is called.
func start(t testing.TB, e env) *node {
	t.Helper()
	return startWith(t, e, io.Discard)
}

// startWith is start with the node's standard output.
func startWith(t testing.TB, e env, stdout io.Writer) *node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan Addrs, 1) // run tells once
	ended := make(chan error, 1) // and ends once
	n := &node{t: t, env: e, logs: &logBuffer{}}
	go func() {
		ended <- run(ctx, process{Getenv: e.get, Stdout: stdout, Stderr: n.logs, Ready: func(a Addrs) { ready <- a }})
	}()
	n.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("the node does not stop")
		}
	})
	select {
	case a := <-ready:
		n.addr, n.admin = a.Public.String(), a.Admin.String()
	case err := <-ended:
		cancel()
		t.Fatalf("the node did not start: %v\n%s", err, n.logs)
	case <-time.After(patience):
		cancel()
		t.Fatalf("the node is not ready\n%s", n.logs)
	}
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Errorf("the node ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the node's log:\n%s", n.logs)
		}
		n.logs.noSecrets(t)
	})
	return n
}

// token is one for the user, good for an hour.
func token(t testing.TB, user string, service bool) string {
	t.Helper()
	s, err := auth.NewSigner(testSecret, "", "")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Mint(user, service, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// http asks the public listener; header holds pairs of name and value.
func (n *node) http(method, path, tok string, body any, header ...string) answer {
	n.t.Helper()
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			n.t.Fatal(err)
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://"+n.addr+path, send)
	if err != nil {
		n.t.Fatal(err)
	}
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			n.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, raw)
		}
	}
	return a
}

// metric is the sum of all series of a name, from /metrics.
func (n *node) metric(name string) float64 {
	n.t.Helper()
	sum := 0.0
	for line := range strings.Lines(n.adminGet("/metrics")) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(series, "{"); ok && bare == name {
			var v float64
			if _, err := fmt.Sscan(value, &v); err == nil {
				sum += v
			}
		}
	}
	return sum
}

// adminGet is a page of the admin listener, which must answer 200.
func (n *node) adminGet(path string) string {
	n.t.Helper()
	resp, err := http.Get("http://" + n.admin + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		n.t.Fatalf("GET %s: %d, %v\n%s", path, resp.StatusCode, err, b)
	}
	return string(b)
}

// eventually waits until cond holds, asking every few milliseconds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// logBuffer keeps what a node logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) has(s string) bool { return strings.Contains(l.String(), s) }

// noSecrets fails the test when a token or the secret has been logged.
func (l *logBuffer) noSecrets(t testing.TB) {
	const tokenStart = "eyJ" // base64 of {"
	if l.has(tokenStart) || l.has(testSecret) {
		t.Error("the log tells a token or the secret")
	}
}

// freePort is a port that nobody listens on at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// selfSigned makes a certificate for loopback, and what trusts it.
func selfSigned(t testing.TB) (cert, key string, trust *tls.Config) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", pkcs8)
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, &tls.Config{RootCAs: pool}
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
