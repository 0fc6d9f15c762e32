package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// blockShards is how many shards' tails stand in one row of tails: a commit for
// all shards writes a few rows and one for a single shard a short one.
const blockShards = 64 // makeShards and heads know it too

// tailBytes is the size of one shard's tail: seq and id, big-endian.
const tailBytes = 16

// heads is what the writer knows of all logs, so that an append need not read
// it. It is read anew when a write failed, and when somebody else wrote to the
// database, which nobody should.
type heads struct {
	of      []feedengine.Head // by shard
	known   bool              // of is what the database says
	version int64             // PRAGMA data_version then: another connection's commit changes it
	fenced  []bool            // by shard: the append under way holds its fence
	moved   []bool            // by block: the append under way has added to one of its logs
}

func newHeads(shards int) heads {
	return heads{
		of:     make([]feedengine.Head, shards),
		fenced: make([]bool, shards),
		moved:  make([]bool, (shards+blockShards-1)/blockShards),
	}
}

// begin makes the heads known, within a transaction of the writer.
func (h *heads) begin(ctx context.Context, c *conn) error {
	clear(h.fenced)
	clear(h.moved)
	var version int64
	if err := c.each(ctx, dataVersion, func(row []value) error {
		version = row[0].(int64)
		return nil
	}); err != nil {
		return err
	}
	if h.known && version == h.version {
		return nil
	}
	h.known = false
	if err := readHeads(ctx, c, h.of); err != nil {
		return err
	}
	h.known, h.version = true, version
	return nil
}

// save writes the tails of the logs that moved.
func (h *heads) save(ctx context.Context, c *conn) error {
	for block, moved := range h.moved {
		if !moved {
			continue
		}
		of := h.of[block*blockShards : min((block+1)*blockShards, len(h.of))]
		tails := make([]byte, 0, len(of)*tailBytes)
		for _, head := range of {
			tails = binary.BigEndian.AppendUint64(tails, head.Seq)
			tails = binary.BigEndian.AppendUint64(tails, uint64(head.ID))
		}
		if _, err := c.exec(ctx, setTails, tails, int64(block)); err != nil {
			return err
		}
	}
	return nil
}

// readHeads reads the heads of all logs as of c's transaction.
func readHeads(ctx context.Context, c *conn, into []feedengine.Head) error {
	shard := 0
	var tails []byte
	err := c.each(ctx, readAllHeads, func(row []value) error {
		if block, ok := row[2].([]byte); ok { // with the first of its shards
			tails = append(tails[:0], block...)
		}
		if shard >= len(into) || len(tails) < tailBytes {
			return errTails(shard)
		}
		into[shard] = feedengine.Head{
			Epoch: uint64(row[0].(int64)), First: uint64(row[1].(int64)),
			Seq: binary.BigEndian.Uint64(tails), ID: feedengine.ID(binary.BigEndian.Uint64(tails[8:])),
		}
		tails = tails[tailBytes:]
		shard++
		return nil
	})
	if err == nil && shard != len(into) {
		err = errTails(shard)
	}
	return err
}

// lastOf reads the id of the last event of one log.
func lastOf(ctx context.Context, c *conn, shard feedengine.ShardID) (id int64, err error) {
	err = c.each(ctx, tailsOf, func(row []value) error {
		tails, _ := row[0].([]byte)
		at := int(shard%blockShards) * tailBytes
		if len(tails) < at+tailBytes {
			return errTails(int(shard))
		}
		id = int64(binary.BigEndian.Uint64(tails[at+8:]))
		return nil
	}, int64(shard/blockShards))
	return id, err
}

func errTails(shard int) error {
	return fmt.Errorf("%w: the database does not say where the log of shard %d ends", feedengine.ErrUnavailable, shard)
}
