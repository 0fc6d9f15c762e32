package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/gateway/auth"
)

const testSecret = "a secret of more than thirty-two bytes"

// env is an environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

// with is the environment with more in it.
func (e env) with(more env) env {
	all := env{}
	for _, m := range []env{e, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// parsed is the configuration that flags and environment make.
func parsed(t *testing.T, e env, args ...string) (*Config, string) {
	t.Helper()
	var c cli
	var out bytes.Buffer
	cfg, command, err := parse(&c, process{Args: args, Getenv: e.get, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return cfg, command
}

// runOnce runs a command that ends by itself.
func runOnce(e env, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	err := run(context.Background(), process{Args: args, Getenv: e.get, Stdout: &out, Stderr: &errs})
	if err != nil {
		errs.WriteString(err.Error())
	}
	return out.String(), errs.String(), exitCode(err)
}

func TestDefaults(t *testing.T) {
	got, command := parsed(t, nil)
	want := &Config{
		Addr: ":8080", AdminAddr: "127.0.0.1:8081", Data: "./data", LogRetention: 24 * time.Hour,
		NodeID: got.NodeID, Roles: []string{"gateway", "shard"}, Workers: 1, Dev: devOff,
		LoginTTL: 24 * time.Hour, LikeWindow: time.Hour,
		UserRate: 50, UserBurst: 200, SocketsPerUser: 32, Residency: 10 * time.Minute, RingEvents: 1 << 16,
		Poller: "auto", StopTimeout: 25 * time.Second, LogFormat: "json", LogLevel: slog.LevelInfo,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if command != "serve" {
		t.Errorf("command %q", command)
	}
	if !validNodeID(got.NodeID) {
		t.Errorf("node id %q", got.NodeID)
	}
}

func TestEverySettingIsFlagAndVariable(t *testing.T) {
	for _, s := range []struct{ flag, variable, value string }{
		{"addr", "FEEDGATE_ADDR", "127.0.0.1:1"},
		{"admin-addr", "FEEDGATE_ADMIN_ADDR", "127.0.0.1:2"},
		{"tls-cert", "FEEDGATE_TLS_CERT", "c"},
		{"tls-key", "FEEDGATE_TLS_KEY", "k"},
		{"database-url", "DATABASE_URL", "postgres://h/d"},
		{"data", "FEEDGATE_DATA", "/d"},
		{"shards", "FEEDGATE_SHARDS", "8"},
		{"log-retention", "FEEDGATE_LOG_RETENTION", "48h"},
		{"redis-url", "REDIS_URL", "redis://h"},
		{"node-id", "FEEDGATE_NODE_ID", "n1"},
		{"roles", "FEEDGATE_ROLES", "shard"},
		{"workers", "FEEDGATE_WORKERS", "2"},
		{"workers", "WEB_CONCURRENCY", "2"},
		{"jwt-secret", "FEEDGATE_JWT_SECRET", "s"},
		{"jwt-jwks", "FEEDGATE_JWT_JWKS", "f"},
		{"jwt-issuer", "FEEDGATE_JWT_ISSUER", "i"},
		{"jwt-audience", "FEEDGATE_JWT_AUDIENCE", "a"},
		{"origins", "FEEDGATE_ORIGINS", "a.example,*.b.example"},
		{"login-ttl", "FEEDGATE_LOGIN_TTL", "1h"},
		{"proxies", "FEEDGATE_PROXIES", "10.0.0.0/8,192.0.2.7"},
		{"like-window", "FEEDGATE_LIKE_WINDOW", "10m"},
		{"dev", "FEEDGATE_DEV", "force"},
		{"user-rate", "FEEDGATE_USER_RATE", "7.5"},
		{"user-burst", "FEEDGATE_USER_BURST", "9"},
		{"sockets-per-user", "FEEDGATE_SOCKETS_PER_USER", "3"},
		{"handshake-rate", "FEEDGATE_HANDSHAKE_RATE", "300"},
		{"memory-budget", "FEEDGATE_MEMORY_BUDGET", "1500MiB"},
		{"residency", "FEEDGATE_RESIDENCY", "1m"},
		{"view-budget", "FEEDGATE_VIEW_BUDGET", "1000000000"},
		{"ring-events", "FEEDGATE_RING_EVENTS", "1024"},
		{"poller", "FEEDGATE_POLLER", "epoll"},
		{"compress-above", "FEEDGATE_COMPRESS_ABOVE", "1KiB"},
		{"stop-timeout", "FEEDGATE_STOP_TIMEOUT", "5s"},
		{"log-format", "FEEDGATE_LOG_FORMAT", "text"},
		{"log-level", "FEEDGATE_LOG_LEVEL", "debug"},
	} {
		t.Run(s.variable, func(t *testing.T) {
			fixed := env{"FEEDGATE_NODE_ID": "same"}
			none, _ := parsed(t, fixed)
			byFlag, _ := parsed(t, fixed, "--"+s.flag+"="+s.value)
			byVariable, _ := parsed(t, fixed.with(env{s.variable: s.value}))
			if d := cmp.Diff(byFlag, byVariable); d != "" {
				t.Error("flag and variable differ:", d)
			}
			if reflect.DeepEqual(byFlag, none) {
				t.Error("no effect")
			}
		})
	}
	// Whoever adds a setting adds it above.
	const tested = 34
	if n := reflect.TypeFor[Config]().NumField(); n != tested {
		t.Errorf("%d settings, %d are tested", n, tested)
	}
}

func TestPrecedence(t *testing.T) {
	for name, tc := range map[string]struct {
		env  env
		args []string
		want string
	}{
		"nothing":              {nil, nil, ":8080"},
		"PORT":                 {env{"PORT": "5000"}, nil, ":5000"},
		"FEEDGATE_ADDR":        {env{"PORT": "5000", "FEEDGATE_ADDR": "1.2.3.4:1"}, nil, "1.2.3.4:1"},
		"flag":                 {env{"PORT": "5000", "FEEDGATE_ADDR": "1.2.3.4:1"}, []string{"--addr", ":2"}, ":2"},
		"flag after a command": {nil, []string{"serve", "--addr=:2"}, ":2"},
		"an empty variable":    {env{"FEEDGATE_ADDR": ""}, nil, ":8080"},
		"dev":                  {env{"FEEDGATE_DEV": "1"}, nil, "127.0.0.1:8080"},
		"dev with PORT":        {env{"FEEDGATE_DEV": "true", "PORT": "5000"}, nil, "127.0.0.1:5000"},
		"dev by flag":          {nil, []string{"--dev"}, "127.0.0.1:8080"},
		"dev with an address":  {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": ":80"}, nil, ":80"},
		"dev off":              {env{"FEEDGATE_DEV": "0"}, nil, ":8080"},
	} {
		t.Run(name, func(t *testing.T) {
			if cfg, _ := parsed(t, tc.env, tc.args...); cfg.Addr != tc.want {
				t.Errorf("addr %q, want %q", cfg.Addr, tc.want)
			}
		})
	}
	cfg, _ := parsed(t, env{"FEEDGATE_WORKERS": "3", "WEB_CONCURRENCY": "4"})
	if cfg.Workers != 3 {
		t.Error("WEB_CONCURRENCY wins over FEEDGATE_WORKERS")
	}
}

func TestValidate(t *testing.T) {
	good := env{"FEEDGATE_JWT_SECRET": testSecret}
	several := good.with(env{"REDIS_URL": "redis://:hunter2@h", "DATABASE_URL": "postgres://h/d"})
	for name, tc := range map[string]struct {
		env  env
		want string // in the error; "" means valid
	}{
		"secret":             {good, ""},
		"JWKS":               {env{"FEEDGATE_JWT_JWKS": "https://id.example/jwks"}, ""},
		"dev":                {env{"FEEDGATE_DEV": "1"}, ""},
		"dev, IPv6 loopback": {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": "[::1]:80"}, ""},
		"dev, localhost":     {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": "localhost:80"}, ""},
		"dev, forced":        {env{"FEEDGATE_DEV": "force", "FEEDGATE_ADDR": ":80"}, ""},
		"Postgres":           {good.with(env{"DATABASE_URL": "postgresql://u:p@h/d"}), ""},

		"a cluster":      {several, ""},
		"Redis with TLS": {several.with(env{"REDIS_URL": "rediss://u:hunter2@h:6380/1"}), ""},
		"Sentinels":      {several.with(env{"REDIS_URL": "redis://h?master_name=m&addr=h2:26379"}), ""},
		"a gateway":      {several.with(env{"FEEDGATE_ROLES": "gateway"}), ""},
		"a shard node":   {several.with(env{"FEEDGATE_ROLES": "shard"}), ""},
		"some workers":   {several.with(env{"FEEDGATE_WORKERS": "4", "FEEDGATE_ROLES": "shard,gateway"}), ""},

		"no secret":            {nil, "FEEDGATE_JWT_SECRET"},
		"both":                 {good.with(env{"FEEDGATE_JWT_JWKS": "f"}), "exclude one another"},
		"dev, everywhere":      {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": ":80"}, "FEEDGATE_DEV=force"},
		"dev, unspecified":     {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": "0.0.0.0:80"}, "FEEDGATE_DEV=force"},
		"dev, a name":          {env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": "localhost.example:80"}, "FEEDGATE_DEV=force"},
		"no address":           {good.with(env{"FEEDGATE_ADDR": "8080"}), "FEEDGATE_ADDR"},
		"no admin address":     {good.with(env{"FEEDGATE_ADMIN_ADDR": "x"}), "FEEDGATE_ADMIN_ADDR"},
		"half of TLS":          {good.with(env{"FEEDGATE_TLS_CERT": "x"}), "go together"},
		"another database":     {good.with(env{"DATABASE_URL": "mysql://root:hunter2@h/d"}), "DATABASE_URL"},
		"a broken URL":         {good.with(env{"DATABASE_URL": "postgres://u:hunter2@h:port/d"}), "DATABASE_URL"},
		"negative shards":      {good.with(env{"FEEDGATE_SHARDS": "-1"}), "1 to 1024"},
		"too many shards":      {good.with(env{"FEEDGATE_SHARDS": "1025"}), "1 to 1024"},
		"short retention":      {good.with(env{"FEEDGATE_LOG_RETENTION": "1h"}), "24h"},
		"Redis and SQLite":     {good.with(env{"REDIS_URL": "redis://:hunter2@h"}), "REDIS_URL: the nodes of a cluster share a Postgres"},
		"not Redis":            {several.with(env{"REDIS_URL": "http://:hunter2@h"}), "REDIS_URL: want redis://"},
		"gateway only":         {good.with(env{"FEEDGATE_ROLES": "gateway"}), "FEEDGATE_ROLES: a node that does not do everything"},
		"shard only, no Redis": {good.with(env{"FEEDGATE_ROLES": "shard", "DATABASE_URL": "postgres://h/d"}), "FEEDGATE_ROLES: a node that does not do everything"},
		"an unknown role":      {several.with(env{"FEEDGATE_ROLES": "gateway,shard,admin"}), `got "admin"`},
		"a role twice":         {several.with(env{"FEEDGATE_ROLES": "shard,shard"}), "FEEDGATE_ROLES"},
		"workers alone":        {good.with(env{"WEB_CONCURRENCY": "4"}), "more than one process need REDIS_URL and DATABASE_URL"},
		"workers, SQLite":      {good.with(env{"WEB_CONCURRENCY": "4", "REDIS_URL": "redis://h"}), "set DATABASE_URL"},
		"too many workers":     {several.with(env{"FEEDGATE_WORKERS": "65"}), "1 to 64"},
		"no workers":           {several.with(env{"FEEDGATE_WORKERS": "0"}), "1 to 64"},
		"a worker's node id":   {good.with(env{"FEEDGATE_NODE_ID": "n/1"}), "FEEDGATE_NODE_ID"},
		"node id":              {good.with(env{"FEEDGATE_NODE_ID": "a b"}), "FEEDGATE_NODE_ID"},
		"node id too long":     {good.with(env{"FEEDGATE_NODE_ID": strings.Repeat("n", 49)}), "FEEDGATE_NODE_ID"},
		"rate":                 {good.with(env{"FEEDGATE_USER_RATE": "0"}), "FEEDGATE_USER_RATE"},
		"no rate":              {good.with(env{"FEEDGATE_USER_RATE": "NaN"}), "FEEDGATE_USER_RATE"},
		"burst":                {good.with(env{"FEEDGATE_USER_BURST": "0"}), "FEEDGATE_USER_BURST"},
		"sockets":              {good.with(env{"FEEDGATE_SOCKETS_PER_USER": "-1"}), "FEEDGATE_SOCKETS_PER_USER"},
		"handshakes":           {good.with(env{"FEEDGATE_HANDSHAKE_RATE": "0.5"}), "FEEDGATE_HANDSHAKE_RATE"},
		"no handshakes":        {good.with(env{"FEEDGATE_HANDSHAKE_RATE": "NaN"}), "FEEDGATE_HANDSHAKE_RATE"},
		"memory":               {good.with(env{"FEEDGATE_MEMORY_BUDGET": "15MiB"}), "FEEDGATE_MEMORY_BUDGET"},
		"login ttl":            {good.with(env{"FEEDGATE_LOGIN_TTL": "500ms"}), "FEEDGATE_LOGIN_TTL"},
		"endless logins":       {good.with(env{"FEEDGATE_LOGIN_TTL": "9000h"}), "FEEDGATE_LOGIN_TTL"},
		"like window":          {good.with(env{"FEEDGATE_LIKE_WINDOW": "0s"}), "FEEDGATE_LIKE_WINDOW"},
		"proxies":              {good.with(env{"FEEDGATE_PROXIES": "10.0.0.0/8,proxy.example.com"}), "FEEDGATE_PROXIES"},
		"residency":            {good.with(env{"FEEDGATE_RESIDENCY": "0s"}), "FEEDGATE_RESIDENCY"},
		"budget":               {good.with(env{"FEEDGATE_VIEW_BUDGET": "-1"}), "FEEDGATE_VIEW_BUDGET"},
		"ring":                 {good.with(env{"FEEDGATE_RING_EVENTS": "65535"}), "FEEDGATE_RING_EVENTS"},
		"compression":          {good.with(env{"FEEDGATE_COMPRESS_ABOVE": "-1"}), "FEEDGATE_COMPRESS_ABOVE"},
		"stop":                 {good.with(env{"FEEDGATE_STOP_TIMEOUT": "0s"}), "FEEDGATE_STOP_TIMEOUT"},
		"several at a time":    {env{"REDIS_URL": "redis://h"}, "FEEDGATE_JWT_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := parsed(t, tc.env)
			err := cfg.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("err = %v, want it to say %q", err, tc.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

func TestUsageErrors(t *testing.T) {
	good := env{"FEEDGATE_JWT_SECRET": testSecret}
	for name, tc := range map[string]struct {
		env  env
		args []string
		want string
	}{
		"unknown flag":      {good, []string{"--no-such"}, "--no-such"},
		"unknown command":   {good, []string{"destroy"}, "destroy"},
		"no number":         {good.with(env{"FEEDGATE_SHARDS": "many"}), nil, "shards"},
		"no duration":       {good.with(env{"FEEDGATE_RESIDENCY": "10"}), nil, "residency"},
		"no size":           {good.with(env{"FEEDGATE_MEMORY_BUDGET": "much"}), nil, "1500MiB, 2GB"},
		"no poller":         {good.with(env{"FEEDGATE_POLLER": "kqueue"}), nil, "poller"},
		"no log format":     {good.with(env{"FEEDGATE_LOG_FORMAT": "xml"}), nil, "LOG_FORMAT"},
		"no log level":      {good.with(env{"FEEDGATE_LOG_LEVEL": "loud"}), nil, "log-level"},
		"no dev mode":       {good.with(env{"FEEDGATE_DEV": "maybe"}), nil, "on, off or force"},
		"no secret":         {nil, nil, "FEEDGATE_JWT_SECRET"},
		"token for nobody":  {good, []string{"token"}, "--user"},
		"token, bad user":   {good, []string{"token", "--user", "a b"}, "user id"},
		"token, no time":    {good, []string{"token", "--user=a", "--ttl=0s"}, "at least 1s"},
		"token, no secret":  {nil, []string{"token", "--user=a"}, "FEEDGATE_JWT_SECRET"},
		"token with a JWKS": {env{"FEEDGATE_JWT_JWKS": "f"}, []string{"token", "--user=a"}, "FEEDGATE_JWT_JWKS"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := runOnce(tc.env, tc.args...)
			if code != exitUsage || !strings.Contains(errs, tc.want) {
				t.Errorf("code %d, errors %q, output %q", code, errs, out)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	out, _, code := runOnce(nil, "--help")
	if code != exitOK {
		t.Fatalf("code %d", code)
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		for name := range strings.SplitSeq(fields.Field(i).Tag.Get("setting"), ",") {
			if name == "" || !strings.Contains(strings.Join(strings.Fields(out), " "), "$"+name) {
				t.Errorf("--help does not name %s of %s", name, fields.Field(i).Name)
			}
		}
	}
	for _, word := range []string{"migrate", "token", "serve", "--addr", "--jwt-jwks"} {
		if !strings.Contains(out, word) {
			t.Errorf("--help does not name %s", word)
		}
	}
	out, _, code = runOnce(nil, "--version")
	if code != exitOK || !strings.HasPrefix(out, "feedgate ") {
		t.Errorf("code %d, output %q", code, out)
	}
}

func TestToken(t *testing.T) {
	e := env{"FEEDGATE_JWT_SECRET": testSecret, "FEEDGATE_JWT_ISSUER": "me", "FEEDGATE_JWT_AUDIENCE": "you"}
	for name, service := range map[string]bool{"plain": false, "service": true} {
		t.Run(name, func(t *testing.T) {
			args := []string{"token", "--user", "alice", "--ttl", "1h"}
			if service {
				args = append(args, "--service")
			}
			out, errs, code := runOnce(e, args...)
			if code != exitOK {
				t.Fatal(errs)
			}
			v, err := auth.New(t.Context(), auth.Config{Secret: testSecret, Issuer: "me", Audience: "you", Metrics: metrics.NewSet()})
			if err != nil {
				t.Fatal(err)
			}
			claims, err := v.Verify(t.Context(), strings.TrimSpace(out))
			if err != nil || claims.User != "alice" || claims.Service != service {
				t.Errorf("%+v, %v", claims, err)
			}
		})
	}
}

func TestDevSecretOutlivesTheProcess(t *testing.T) {
	e := env{"FEEDGATE_DEV": "1", "FEEDGATE_DATA": filepath.Join(t.TempDir(), "data")}
	first, _ := parsed(t, e)
	one, err := first.secret()
	if err != nil || len(one) < auth.MinSecret {
		t.Fatalf("%d bytes, %v", len(one), err)
	}
	second, _ := parsed(t, e)
	if two, err := second.secret(); two != one {
		t.Errorf("another one at the second start, %v", err)
	}
	info, err := os.Stat(filepath.Join(first.Data, "dev-jwt-secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	out, errs, code := runOnce(e, "token", "--user=alice")
	if code != exitOK || len(strings.Split(out, ".")) != 3 {
		t.Error(out, errs)
	}
	e["FEEDGATE_JWT_SECRET"] = testSecret
	third, _ := parsed(t, e)
	if three, _ := third.secret(); three != testSecret {
		t.Error("the secret that was set is not used")
	}
}

func TestLogger(t *testing.T) {
	for format, mark := range map[string]string{"json": `"node":"n1"`, "text": "node=n1"} {
		cfg, _ := parsed(t, env{"FEEDGATE_LOG_FORMAT": format, "FEEDGATE_NODE_ID": "n1", "FEEDGATE_LOG_LEVEL": "warn"})
		var out bytes.Buffer
		log := newLogger(cfg, &out)
		log.Info("quiet")
		log.Warn("loud")
		if got := out.String(); !strings.Contains(got, mark) || strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func TestNodeIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, "a": true, "node-1.rack_2": true, "a b": false, "ü": false, "a/b": false,
		strings.Repeat("n", maxNodeID): true, strings.Repeat("n", maxNodeID+1): false,
	} {
		if validNodeID(id) != want {
			t.Errorf("%q", id)
		}
	}
	if id := defaultNodeID(); !validNodeID(id) {
		t.Errorf("the default %q is no good", id)
	}
}
