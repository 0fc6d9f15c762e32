package postgres

import (
	"errors"
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// DefaultShards is how many shards a database is set up with when nobody says.
const DefaultShards = 256

// Config says how to open a database.
type Config struct {
	// URL is postgres://…, of the server itself or of a pooler that keeps a
	// session's connection and passes its start-up parameters on (pool.go).
	URL string

	// Shards is S when the database has not been set up yet, and must agree with
	// it when it has. 0: what the database has, else DefaultShards.
	Shards int

	// Node is the node's id. Postgres knows the node's connections by it
	// (application_name), so that a claimer can end those of a frozen owner: 1 to
	// 63 bytes of printable ASCII.
	Node string

	// MaxConns bounds the reader pool. 0: 8. The writer pool has 3 beside it.
	MaxConns int

	// Metrics receives the store's metrics; nil: they are not shown.
	Metrics *metrics.Set
}

// maxNodeBytes is what Postgres keeps of an application_name (NAMEDATALEN-1).
const maxNodeBytes = 63

func (c Config) validate() error {
	if c.Shards < 0 || c.Shards > feedengine.MaxShards {
		return fmt.Errorf("%d shards: want 1 to %d", c.Shards, feedengine.MaxShards)
	}
	if c.MaxConns < 0 {
		return fmt.Errorf("%d connections: want 1 or more", c.MaxConns)
	}
	if len(c.Node) == 0 || len(c.Node) > maxNodeBytes {
		return fmt.Errorf("node id of %d bytes: want 1 to %d", len(c.Node), maxNodeBytes)
	}
	for i := range len(c.Node) {
		if c.Node[i] < ' ' || c.Node[i] > '~' {
			return errors.New("node id: want printable ASCII")
		}
	}
	return nil
}
