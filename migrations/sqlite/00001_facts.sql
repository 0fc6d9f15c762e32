-- +goose Up

-- 'shards': S, which the database was set up with and which never changes.
-- 'trimmed': events up to this id have left the log, but for each shard's last.
-- 'pinged': when somebody last asked whether the database can be written to.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO settings (name, value) VALUES ('trimmed', 0);

-- One row for each shard. epoch counts its claims; epoch_first is the seq with
-- which the latest claim begins.
CREATE TABLE shards (
    shard       INTEGER NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL DEFAULT '',
    epoch       INTEGER NOT NULL DEFAULT 0,
    epoch_first INTEGER NOT NULL DEFAULT 1
) STRICT;

-- Where the logs end: of 64 shards a row, the seq and id of each one's last event,
-- 0 when there is none, as big-endian 64-bit numbers one behind the other. A row
-- of its own for each shard costs an append as much as the post itself.
CREATE TABLE tails (
    block INTEGER NOT NULL PRIMARY KEY,
    tails BLOB    NOT NULL
) STRICT;

-- Posts, each the durable event of its making too: the seq and epoch that it has
-- in its shard's log, and prev, the id of the shard's event before it. A deleted
-- one keeps its row: its id is never given out again. Its text goes when its
-- event leaves the log.
--
-- Rows are in the order of their ids, which is nearly that in which they are
-- written: a commit fills the table's last pages and touches no others. A log in
-- the order of shard and seq would have a commit for 256 shards write 256 pages,
-- and that would cost more than everything else in it. So the way through one
-- shard's log is prev, backwards from tails or a waypoint.
CREATE TABLE posts (
    id       INTEGER NOT NULL PRIMARY KEY,
    author   TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    likes    INTEGER NOT NULL DEFAULT 0,
    comments INTEGER NOT NULL DEFAULT 0,
    deleted  INTEGER NOT NULL DEFAULT 0,
    prev     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT;

-- Serves pages and counts: the ids of one author.
CREATE INDEX posts_author ON posts (author, id) WHERE deleted = 0;

-- The durable events that are no posts.
-- target: kind 2, the post that was deleted. users: kinds 3 and 4, a JSON array.
CREATE TABLE log (
    id     INTEGER NOT NULL PRIMARY KEY,
    prev   INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    target INTEGER,
    users  TEXT
) STRICT;

-- Every 256th event of a shard, so that reading a log far from its end need not
-- walk all the way back from there.
CREATE TABLE waypoints (
    shard INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    id    INTEGER NOT NULL,
    PRIMARY KEY (shard, seq)
) STRICT, WITHOUT ROWID;

-- Who follows whom; since is the id of the follow event.
CREATE TABLE follows (
    follower TEXT    NOT NULL,
    author   TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    PRIMARY KEY (follower, author)
) STRICT, WITHOUT ROWID;

-- Serves the list of somebody's followers.
CREATE INDEX follows_author ON follows (author, follower);

-- Read marks, merged by maximum.
CREATE TABLE marks (
    user TEXT    NOT NULL,
    list INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (user, list)
) STRICT, WITHOUT ROWID;

-- Idempotency keys. id is the event that the key's first request made, and
-- tells its age.
CREATE TABLE keys (
    user TEXT    NOT NULL,
    op   TEXT    NOT NULL,
    key  TEXT    NOT NULL,
    hash BLOB    NOT NULL,
    id   INTEGER NOT NULL,
    PRIMARY KEY (user, op, key)
) STRICT, WITHOUT ROWID;

-- Serves trimming.
CREATE INDEX keys_id ON keys (id);

-- +goose Down
DROP TABLE keys;
DROP TABLE marks;
DROP TABLE follows;
DROP TABLE waypoints;
DROP TABLE log;
DROP TABLE posts;
DROP TABLE tails;
DROP TABLE shards;
DROP TABLE settings;
