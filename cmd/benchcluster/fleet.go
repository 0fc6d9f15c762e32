//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/loadgen/token"
)

// fleet is a cluster on a database of its own.
type fleet struct {
	settings
	dir      string
	redis    *redis
	nodes    []*node
	secret   string
	service  string
	database string // its name
	env      []string
	shards   int
}

// launch starts so many nodes and waits until they share all shards.
func launch(ctx context.Context, s settings, shards, nodes int) (f *fleet, err error) {
	f = &fleet{settings: s, secret: rand.Text() + rand.Text(), shards: shards}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.stop())
		}
	}()
	if f.service, err = token.Mint(f.secret, "bench", true); err != nil {
		return nil, err
	}
	if f.dir, err = os.MkdirTemp("", "benchcluster"); err != nil {
		return nil, err
	}
	db, err := f.createDatabase(ctx)
	if err != nil {
		return nil, err
	}
	if f.redis, err = startRedis(f.dir); err != nil {
		return nil, err
	}
	f.env = []string{"DATABASE_URL=" + db, "REDIS_URL=redis://" + f.redis.addr(),
		"FEEDGATE_JWT_SECRET=" + f.secret, "FEEDGATE_SHARDS=" + strconv.Itoa(shards)}
	for range nodes {
		if err := f.add(); err != nil {
			return nil, err
		}
	}
	return f, f.settled()
}

// add starts one more node.
func (f *fleet) add() error {
	n, err := startNode(f.node, fmt.Sprint("node-", len(f.nodes)+1), f.service, f.env)
	if err != nil {
		return err
	}
	f.nodes = append(f.nodes, n)
	return nil
}

// settled waits until every shard is served and none has moved for two seconds.
func (f *fleet) settled() error {
	var last []string
	since := time.Now()
	return eventually("the shards have settled", func() error {
		owners, err := f.nodes[0].owners()
		if err != nil {
			return err
		}
		held := map[string]bool{}
		for _, o := range owners {
			held[o] = true
		}
		if !slices.Equal(owners, last) || held[""] || len(held) < len(f.nodes) {
			last, since = owners, time.Now()
		}
		if quiet := time.Since(since); quiet < 2*time.Second {
			return fmt.Errorf("%d owners, quiet for %v", len(held), quiet)
		}
		return nil
	})
}

func (f *fleet) createDatabase(ctx context.Context) (string, error) {
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		return "", errors.New("TEST_POSTGRES_URL must name a Postgres server: .ci/with-services starts one")
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("TEST_POSTGRES_URL: %w", err)
	}
	f.database = "bench_" + strings.ToLower(rand.Text())
	u.Path = "/" + f.database
	return u.String(), onServer(ctx, server, "CREATE DATABASE "+f.database+" TEMPLATE template0 ENCODING 'UTF8'")
}

func onServer(ctx context.Context, server, sql string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// used is the processor time of all nodes and Redis so far.
func (f *fleet) used() (total time.Duration, err error) {
	all := []*process{f.redis.process}
	for _, n := range f.nodes {
		all = append(all, n.process)
	}
	for _, p := range all {
		used, err := p.used()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// profiled takes CPU profiles of all nodes, when they are wanted, for most of a
// line's traffic. What it returns waits for them.
func (f *fleet) profiled() (wait func() error) {
	if f.profile == "" {
		return func() error { return nil }
	}
	errs := make(chan error, len(f.nodes)) // one of each node
	for _, n := range f.nodes {
		go func() {
			b, err := n.get(fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(f.duration.Seconds()*0.8)))
			if err == nil {
				err = os.WriteFile(filepath.Join(f.profile, n.name+".cpu"), b, 0o644)
			}
			errs <- err
		}()
	}
	return func() (err error) {
		for range f.nodes {
			err = errors.Join(err, <-errs)
		}
		return err
	}
}

func (f *fleet) stop() error {
	var errs []error
	for _, n := range f.nodes {
		errs = append(errs, n.stop(syscall.SIGTERM))
		n.keepLog(f.logs)
	}
	if f.redis != nil {
		errs = append(errs, f.redis.stop(syscall.SIGTERM))
	}
	if f.database != "" {
		errs = append(errs, onServer(context.Background(), os.Getenv("TEST_POSTGRES_URL"), "DROP DATABASE "+f.database+" WITH (FORCE)"))
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}
