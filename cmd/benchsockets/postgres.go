//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/gateway/auth"
)

// postgresURL is of a server where databases may be made, as for the tests.
const postgresURL = "TEST_POSTGRES_URL"

// onPostgres measures the handshake on a node whose database is another process:
// what of it is the node's own. A third of the connections do.
func (r *run) onPostgres(ctx context.Context) (err error) {
	server := os.Getenv(postgresURL)
	if server == "" {
		r.table.note("connect, loaded from Postgres", "no "+postgresURL, "")
		return nil
	}
	s := r.settings
	s.conns, s.slow = s.conns/3, 0
	name := fmt.Sprintf("benchsockets_%d", os.Getpid())
	if err := onServer(ctx, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, onServer(context.WithoutCancel(ctx), server, "DROP DATABASE "+name+" WITH (FORCE)"))
	}()
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	signer, err := auth.NewSigner(r.secret, "", "")
	if err != nil {
		return err
	}
	service, err := signer.Mint("bench", true, time.Hour)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "benchsockets")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	start := func() (*node, error) { return startNode(s.node, dir, r.secret, service, "DATABASE_URL="+u.String()) }
	seeder, err := start()
	if err != nil {
		return err
	}
	if err := errors.Join(seed(ctx, seeder, &s), seeder.stop()); err != nil {
		return err
	}
	n, err := start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	crowd, err := startChild(roleClients)
	if err != nil {
		return err
	}
	defer crowd.stop() // before the node: its drain has nobody to wait for
	open := r.open(0, s.conns, 0)
	open.URL = "ws://" + n.addr
	used, err := cost(n.pid(), func() error { _, err := crowd.do(open); return err })
	if err != nil {
		return err
	}
	per := used.total() / time.Duration(s.conns)
	r.table.add("connect, loaded from Postgres: CPU", micros(per), "", "", "150 µs", per <= 150*time.Microsecond)
	return nil
}

// onServer runs one statement.
func onServer(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}
