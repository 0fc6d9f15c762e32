package feedengine

import (
	"errors"
	"strconv"
	"time"
)

// ID names an event, post, comment, message, notification or conversation.
// It is 63 bits wide and time-ordered:
//
//	41 bits  milliseconds since IDEpoch (until 2095)
//	12 bits  counter of the issuing node's clock
//	10 bits  shard whose log the event stands in
//
// Greater is newer. On the wire it is a decimal string. Zero means "none".
type ID int64

// ShardID numbers a shard: 0 … S-1, S at most MaxShards.
type ShardID uint16

const (
	// MaxShards is what the ten shard bits of an ID can tell apart.
	MaxShards = 1 << shardBits

	shardBits   = 10
	counterBits = 12
	tickBits    = shardBits + counterBits

	// MaxID is the greatest ID there can be.
	MaxID ID = 1<<63 - 1
)

// IDEpoch is the instant at which an ID's milliseconds begin.
var IDEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var errNotAnID = errors.New("not an id: want a decimal number from 1 to 2^63-1 without sign or leading zeros")

// Tick is an ID without its shard bits: milliseconds and counter, the unit in
// which a node's clock counts.
type Tick int64

// TickAt is the first tick of the millisecond of t, 0 for times before IDEpoch.
func TickAt(t time.Time) Tick {
	return max(0, Tick(t.Sub(IDEpoch).Milliseconds())<<counterBits)
}

// millis are the tick's milliseconds since IDEpoch.
func (t Tick) millis() int64 { return int64(t) >> counterBits }

// ID is the identifier that the clock's tick gives to an event of a shard.
func (t Tick) ID(s ShardID) ID { return ID(t)<<shardBits | ID(s) }

// Tick is the clock's part of the ID.
func (id ID) Tick() Tick { return Tick(id >> shardBits) }

// Shard is the shard in whose log the event stands.
func (id ID) Shard() ShardID { return ShardID(id & (MaxShards - 1)) }

// Time is the instant of the ID in UTC, to the millisecond.
func (id ID) Time() time.Time {
	return IDEpoch.Add(time.Duration(id>>tickBits) * time.Millisecond)
}

// String is the ID as it stands on the wire.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// ParseID reads an ID from its one wire form. Signs, leading zeros, zero and
// numbers of more than 63 bits are errors.
func ParseID(s string) (ID, error) {
	if len(s) == 0 || len(s) > 19 || s[0] < '1' || s[0] > '9' {
		return 0, errNotAnID
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errNotAnID
	}
	return ID(n), nil
}
