-- +goose Up

-- Who is there: a row for each node, renewed by each of its beats. The order of
-- starts decides between two that use one name. No index holds what a beat
-- changes and there is room beside each row, so that a page takes the new
-- version (HOT) and nothing has to be vacuumed.
CREATE TABLE nodes (
    node        text COLLATE "C" PRIMARY KEY,
    incarnation bigint      NOT NULL, -- of 64 bits without a sign, less 2^63
    beat        bigint      NOT NULL, -- how many there have been by this name
    gateway     boolean     NOT NULL,
    shard       boolean     NOT NULL,
    state       smallint    NOT NULL,
    admin       text        NOT NULL,
    version     text        NOT NULL,
    started     timestamptz NOT NULL, -- by the node's clock
    seen        timestamptz NOT NULL  -- by this server's
) WITH (fillfactor = 20);

-- Nodes that share this database may share a Redis with those that do not: what
-- they tell each other there bears this mark.
INSERT INTO settings (name, value) VALUES ('cluster', left(md5(random()::text || clock_timestamp()::text), 12));

-- +goose Down
DELETE FROM settings WHERE name = 'cluster';
DROP TABLE nodes;
