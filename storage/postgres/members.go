package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

var _ storage.Members = (*Store)(nil)

// beaterParams are of the connection for beats. Nobody waits for the disk: a
// crash of the server loses beats that others come after.
var beaterParams = map[string]string{
	"default_transaction_isolation": "read committed",
	"synchronous_commit":            "off",
	"statement_timeout":             "5s",
	"lock_timeout":                  "2s",
}

// beater is the connection that beats have to themselves, opened when first
// used. It is not a pool of one: a pool waits up to 15 s for the end of a
// connection that broke before it opens another, and a node that does not beat
// for 3 s is taken for dead.
type beater struct {
	config *pgx.ConnConfig
	turn   chan struct{} // 1: who has put something in uses conn

	conn   *pgx.Conn      // guarded by turn
	closed bool           // guarded by turn
	ending sync.WaitGroup // connections that broke
}

func newBeater(cfg Config) (*beater, error) {
	pc, err := poolConfig(cfg, 1, beaterParams)
	if err != nil {
		return nil, err
	}
	return &beater{config: pc.ConnConfig, turn: make(chan struct{}, 1)}, nil
}

// send runs the batch, whose queries have their callbacks, as one transaction.
func (b *beater) send(ctx context.Context, batch *pgx.Batch) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	if b.closed {
		return errors.New("the store is closed")
	}
	if b.conn != nil && b.conn.IsClosed() { // since the last beat
		b.conn = nil
	}
	if b.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, b.config.Copy())
		if err != nil {
			return err
		}
		b.conn = conn
	}
	err := b.conn.SendBatch(ctx, batch).Close()
	if err != nil {
		// Whatever it was, the next beat has a fresh one.
		b.end(b.conn)
		b.conn = nil
	}
	return err
}

// end closes a connection without waiting for it.
func (b *beater) end(conn *pgx.Conn) {
	b.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn.Close(ctx) // its socket is closed then, whatever is said
	})
}

func (b *beater) close() {
	b.turn <- struct{}{}
	b.closed = true
	if b.conn != nil {
		b.end(b.conn)
		b.conn = nil
	}
	<-b.turn
	b.ending.Wait()
}

// Beat renews the node's row and reads everybody's. See storage.Members.
func (s *Store) Beat(ctx context.Context, m feedengine.Member) (feedengine.Roll, error) {
	roll := feedengine.Roll{Owners: make([]feedengine.Owner, 0, s.shards)}
	var b pgx.Batch
	b.Queue(q.Beat, m.Node, stored(m.Incarnation), m.Gateway, m.Shard, int16(m.State), m.Admin, m.Version, m.Started)
	b.Queue(q.ForgetNodes)
	b.Queue(q.Clock).QueryRow(func(row pgx.Row) error { return row.Scan(&roll.Now) })
	b.Queue(q.Members).Query(func(rows pgx.Rows) (err error) {
		roll.Members, err = pgx.CollectRows(rows, scanMember)
		return err
	})
	b.Queue(q.Owners).Query(func(rows pgx.Rows) (err error) {
		roll.Owners, err = scanOwners(rows, roll.Owners)
		return err
	})
	if err := s.beat(ctx, s.ops.beat, &b); err != nil {
		return feedengine.Roll{}, err
	}
	return roll, nil
}

// Leave takes the node's row away. See storage.Members.
func (s *Store) Leave(ctx context.Context, node string, incarnation uint64) error {
	var b pgx.Batch
	b.Queue(q.Leave, node, stored(incarnation))
	return s.beat(ctx, s.ops.leave, &b)
}

func (s *Store) beat(ctx context.Context, o op, b *pgx.Batch) error {
	defer o.done(time.Now(), b.Len())
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.beater.send(bound, b); err != nil {
		return failed(ctx, o.name, err)
	}
	return nil
}

// stored is an incarnation as a bigint in the same order: Postgres has no
// unsigned ones.
func stored(incarnation uint64) int64 { return int64(incarnation ^ 1<<63) }

func scanMember(row pgx.CollectableRow) (feedengine.Member, error) {
	var m feedengine.Member
	var incarnation int64
	err := row.Scan(&m.Node, &incarnation, &m.Beat, &m.Gateway, &m.Shard, &m.State, &m.Admin, &m.Version, &m.Started)
	if err != nil {
		return m, fmt.Errorf("a node's row: %w", err)
	}
	m.Incarnation = uint64(incarnation) ^ 1<<63
	return m, nil
}
