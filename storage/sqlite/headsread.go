package sqlite

import (
	"context"
	"encoding/binary"

	"github.com/feedgate/feedgate/feedengine"
)

// headsRead reads all heads for one reader. Of a shard's row only the claims
// change something, and each of them raises an epoch: while the sum of the epochs
// is the same, so are they all, and only the tails are read. That makes of 256
// rows four, and of the 169 µs of a load of nobody 47.
type headsRead struct {
	of  []feedengine.Head // by shard; Seq and ID are of the last reading
	sum int64             // of their epochs
}

// read reads the heads of all logs as of c's transaction.
func (h *headsRead) read(ctx context.Context, c *conn, into []feedengine.Head) error {
	if len(h.of) != len(into) {
		return h.readAll(ctx, c, into)
	}
	shard, same := 0, false
	err := c.each(ctx, readTails, func(row []value) error {
		tails, _ := row[0].([]byte)
		if shard == 0 {
			same = row[1] == h.sum
		}
		for ; len(tails) >= tailBytes; tails = tails[tailBytes:] {
			if shard == len(into) {
				return errTails(shard)
			}
			h.of[shard].Seq, h.of[shard].ID = binary.BigEndian.Uint64(tails), feedengine.ID(binary.BigEndian.Uint64(tails[8:]))
			shard++
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case shard != len(into):
		return errTails(shard)
	case !same:
		return h.readAll(ctx, c, into)
	}
	copy(into, h.of)
	return nil
}

func (h *headsRead) readAll(ctx context.Context, c *conn, into []feedengine.Head) error {
	h.of = nil
	if err := readHeads(ctx, c, into); err != nil {
		return err
	}
	h.of, h.sum = append(h.of, into...), 0
	for _, head := range into {
		h.sum += int64(head.Epoch)
	}
	return nil
}
