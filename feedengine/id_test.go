package feedengine

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseID(t *testing.T) {
	for s, want := range map[string]ID{
		"1":                   1,
		"10":                  10,
		"9223372036854775807": MaxID,
		"999999999999999999":  999999999999999999,
	} {
		if got, err := ParseID(s); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "0", "00", "01", "-1", "+1", " 1", "1 ", "1_000", "0x1", "1e3", "1.0", "a", "１",
		"9223372036854775808", "18446744073709551617", "99999999999999999999", "1\x00", "null",
	} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("%q is taken for %d", s, got)
		}
	}
}

// FuzzParseID: what is taken has one form, and that form is what is written.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"1", "0", "9223372036854775807", "9223372036854775808", "-5", "007"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		switch {
		case err == nil && (id <= 0 || id.String() != s):
			t.Errorf("%q is taken for %s", s, id)
		case err != nil && id != 0:
			t.Errorf("%q: %d with an error", s, id)
		}
		if stream, ok := ParseStreamID(s); ok && stream.String() != s {
			t.Errorf("%q is taken for stream %s", s, stream)
		}
	})
}

func TestIDParts(t *testing.T) {
	at := time.Date(2030, 5, 17, 12, 34, 56, 789e6, time.UTC)
	id := (TickAt(at) + 4095).ID(1023)
	if !id.Time().Equal(at) || id.Shard() != 1023 || id.Tick() != TickAt(at)+4095 {
		t.Errorf("%s: %v shard %d", id, id.Time(), id.Shard())
	}
	if TickAt(IDEpoch.Add(-time.Hour)) != 0 || TickAt(IDEpoch) != 0 {
		t.Error("ticks before the epoch")
	}
	if got := MaxID.Time().Year(); got != 2095 {
		t.Errorf("ids end in %d", got)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		tick, shard := Tick(r.Int64N(1<<53)), ShardID(r.IntN(MaxShards))
		id := tick.ID(shard)
		if id < 0 || id.Tick() != tick || id.Shard() != shard {
			t.Fatalf("tick %d shard %d: %d", tick, shard, id)
		}
		if other := (tick + 1).ID(0); other <= id {
			t.Fatalf("%d is not above %d", other, id)
		}
		if back, err := ParseID((id | 1).String()); err != nil || back != id|1 {
			t.Fatalf("%d: %v", back, err)
		}
	}
}

func TestParseStreamID(t *testing.T) {
	for s, want := range map[string]StreamID{"0": 0, "a9f3": 0xa9f3, "ffffffffffffffff": 1<<64 - 1} {
		if got, ok := ParseStreamID(s); got != want || !ok || got.String() != s {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "A9", "0a", "-1", "+1", "0x1", "10000000000000000", "g", " 1", "1_0"} {
		if got, ok := ParseStreamID(s); ok {
			t.Errorf("%q is taken for %s", s, got)
		}
	}
}
