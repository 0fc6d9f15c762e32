-- +goose Up

-- What the database was set up with and never changes: 'shards' is S.
CREATE TABLE settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- One row for each shard. epoch counts its claims; epoch_first is the seq with
-- which the latest claim begins. The head of its log is the last row of log, so
-- that an append only locks this row and makes no new version of it.
CREATE TABLE shards (
    shard       smallint PRIMARY KEY,
    owner       text   NOT NULL DEFAULT '',
    epoch       bigint NOT NULL DEFAULT 0,
    epoch_first bigint NOT NULL DEFAULT 1
);

-- The durable events of each shard, 1, 2, 3 … without holes. body is JSON of
-- what the kind needs beside the columns. Users compare by bytes everywhere,
-- as they do in Go: COLLATE "C".
CREATE TABLE log (
    shard smallint NOT NULL,
    seq   bigint   NOT NULL,
    epoch bigint   NOT NULL,
    id    bigint   NOT NULL,
    kind  smallint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    body  text     NOT NULL,
    PRIMARY KEY (shard, seq)
);

-- Posts. A deleted one keeps its row, without its text: its id is never given
-- out again, and what refers to it finds out that it is gone.
CREATE TABLE posts (
    id       bigint PRIMARY KEY,
    author   text COLLATE "C" NOT NULL,
    kind     text    NOT NULL,
    text     text    NOT NULL,
    likes    integer NOT NULL DEFAULT 0,
    comments integer NOT NULL DEFAULT 0,
    deleted  boolean NOT NULL DEFAULT false
);

-- Serves pages and counts: the ids of one author, newest first.
CREATE INDEX posts_author ON posts (author, id DESC) WHERE NOT deleted;

-- Who follows whom; since is the id of the follow event.
CREATE TABLE follows (
    follower text COLLATE "C" NOT NULL,
    author   text COLLATE "C" NOT NULL,
    since    bigint NOT NULL,
    PRIMARY KEY (follower, author) INCLUDE (since)
);

-- Serves the list of somebody's followers.
CREATE INDEX follows_author ON follows (author, follower);

-- Read marks, merged by maximum. They move often and no index holds upto, so
-- that a page with room takes the new version (HOT).
CREATE TABLE marks (
    user_id text COLLATE "C" NOT NULL,
    list    smallint NOT NULL,
    upto    bigint   NOT NULL,
    PRIMARY KEY (user_id, list)
) WITH (fillfactor = 80);

-- Idempotency keys. id is the event that the key's first request made, and
-- tells its age.
CREATE TABLE keys (
    user_id text COLLATE "C" NOT NULL,
    op      text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    hash    bytea  NOT NULL,
    id      bigint NOT NULL,
    PRIMARY KEY (user_id, op, key)
);

-- Serves trimming.
CREATE INDEX keys_id ON keys (id);

-- Ends the transaction that calls it unless ok. With it a commit can be made
-- conditional without a round trip to look at an intermediate result.
-- +goose StatementBegin
CREATE FUNCTION feedgate_require(ok boolean, code text, message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF ok IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION feedgate_require(boolean, text, text);
DROP TABLE keys;
DROP TABLE marks;
DROP TABLE follows;
DROP TABLE posts;
DROP TABLE log;
DROP TABLE shards;
DROP TABLE settings;
