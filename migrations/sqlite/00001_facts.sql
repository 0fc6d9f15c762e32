-- +goose Up

-- What the database was set up with and never changes: 'shards' is S.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each shard. epoch counts its claims; epoch_first is the seq with
-- which the latest claim begins. The head of its log is the last row of log.
CREATE TABLE shards (
    shard       INTEGER NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL DEFAULT '',
    epoch       INTEGER NOT NULL DEFAULT 0,
    epoch_first INTEGER NOT NULL DEFAULT 1
) STRICT;

-- The durable events of each shard, 1, 2, 3 … without holes.
-- target: the post that kind 1 made or kind 2 deleted. post_kind, text: kind 1.
-- users: kinds 3 and 4, a JSON array.
CREATE TABLE log (
    shard     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    target    INTEGER,
    post_kind TEXT,
    text      TEXT,
    users     TEXT,
    PRIMARY KEY (shard, seq)
) STRICT, WITHOUT ROWID;

-- Posts that have not been deleted.
CREATE TABLE posts (
    id     INTEGER NOT NULL PRIMARY KEY,
    author TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    text   TEXT    NOT NULL
) STRICT;

-- Serves pages and counts: the ids of one author, newest at the end.
CREATE INDEX posts_author ON posts (author, id);

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
DROP TABLE posts;
DROP TABLE log;
DROP TABLE shards;
DROP TABLE settings;
