package sqlite

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// DefaultShards is how many shards a database is set up with when nobody says.
const DefaultShards = 256

// Config says where the database is.
type Config struct {
	// Dir is the directory of the database, its log and its lock. It is made
	// when it is not there. "": ./data
	Dir string

	// Shards is S when the database has not been set up yet, and must agree with
	// it when it has. 0: what the database has, else DefaultShards.
	Shards int

	// Readers bounds the reading connections. 0: 4. The writer stands beside them.
	Readers int

	// Metrics receives the store's metrics; nil: they are not shown.
	Metrics *metrics.Set
}

// complete checks the configuration and fills its defaults in.
func (c Config) complete() (Config, error) {
	if c.Shards < 0 || c.Shards > feedengine.MaxShards {
		return c, fmt.Errorf("%d shards: want 1 to %d", c.Shards, feedengine.MaxShards)
	}
	if c.Readers < 0 {
		return c, fmt.Errorf("%d readers: want 1 or more", c.Readers)
	}
	if c.Dir == "" {
		c.Dir = "data"
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewSet()
	}
	return c, nil
}
