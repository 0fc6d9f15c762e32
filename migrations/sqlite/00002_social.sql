-- +goose Up

-- more: what some posts have beside their text, JSON as feedengine.More.
-- event: what a post's event has beside the post, JSON: name and users, and when the
-- post was edited while its event stood in the log, was: the text and more that it
-- was published with. Both are NULL for the post that most are.
ALTER TABLE posts ADD COLUMN more TEXT;
ALTER TABLE posts ADD COLUMN event TEXT;

-- body: what an event has beside the other columns, JSON: name, fact and post; NULL
-- for nothing.
ALTER TABLE log ADD COLUMN body TEXT;

-- Who is hidden from whom, and why: 1 user blocks other, 2 other blocks user (the
-- same block, seen from there), 3 user mutes other.
CREATE TABLE hides (
    user  TEXT    NOT NULL,
    other TEXT    NOT NULL,
    kind  INTEGER NOT NULL,
    PRIMARY KEY (user, other, kind)
) STRICT, WITHOUT ROWID;

-- A like; id is that of its event, note the notification that it is a part of, 0
-- for the author's own.
CREATE TABLE likes (
    post INTEGER NOT NULL,
    user TEXT    NOT NULL,
    id   INTEGER NOT NULL,
    note INTEGER NOT NULL,
    PRIMARY KEY (post, user)
) STRICT, WITHOUT ROWID;

-- Serves the likes that one notification stands for, newest first.
CREATE INDEX likes_note ON likes (note, id DESC) WHERE note > 0;

CREATE TABLE comments (
    id     INTEGER NOT NULL PRIMARY KEY,
    post   INTEGER NOT NULL,
    author TEXT    NOT NULL,
    text   TEXT    NOT NULL
) STRICT;

CREATE INDEX comments_post ON comments (post, id);

-- Notifications. id is that of the event that began it. Withdrawn ones are gone.
-- actor: of likes, the first. post, comment: 0 for none.
CREATE TABLE notes (
    user    TEXT    NOT NULL,
    id      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    actor   TEXT    NOT NULL,
    post    INTEGER NOT NULL,
    comment INTEGER NOT NULL,
    PRIMARY KEY (user, id)
) STRICT, WITHOUT ROWID;

-- Serves the withdrawal of what is about a post, and its newest one of likes.
CREATE INDEX notes_post ON notes (post, kind, id) WHERE post > 0;

-- Conversations: one for each set of members; key is the SHA-256 of its name.
-- last is its newest message.
CREATE TABLE conversations (
    id   INTEGER NOT NULL PRIMARY KEY,
    key  BLOB    NOT NULL UNIQUE,
    last INTEGER NOT NULL
) STRICT;

-- In the order of users: a load reads all of one user's. got: up to where the
-- user's devices have it; read: the read mark, at most got.
CREATE TABLE members (
    user         TEXT    NOT NULL,
    conversation INTEGER NOT NULL,
    got          INTEGER NOT NULL DEFAULT 0,
    read         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_conversation ON members (conversation, user);

-- reply: 0 for none. media: JSON, NULL for none.
CREATE TABLE messages (
    id           INTEGER NOT NULL PRIMARY KEY,
    conversation INTEGER NOT NULL,
    author       TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    reply        INTEGER NOT NULL,
    media        TEXT
) STRICT;

-- Serves pages, and counts by itself.
CREATE INDEX messages_conversation ON messages (conversation, id, author);

-- The jobs board: what is filtered by, of posts of kind 'job'. Deleted ones, and
-- those that not everybody may see, have no row. category, location: lower case.
-- salary_max: at least salary_min. closes: microseconds since 1970, NULL for open.
CREATE TABLE jobs (
    id         INTEGER NOT NULL PRIMARY KEY,
    author     TEXT    NOT NULL,
    category   TEXT    NOT NULL,
    location   TEXT    NOT NULL,
    salary_min INTEGER NOT NULL,
    salary_max INTEGER NOT NULL,
    currency   TEXT    NOT NULL,
    closes     INTEGER
) STRICT;

CREATE INDEX jobs_category ON jobs (category, id);
CREATE INDEX jobs_location ON jobs (location, id);
CREATE INDEX jobs_both ON jobs (category, location, id);

-- What is searched for, by jobs.id. The texts themselves are the posts'.
-- (https://www.sqlite.org/fts5.html#contentless_delete_tables)
CREATE VIRTUAL TABLE job_words USING fts5 (
    title, place, text,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Saved searches. query is JSON, the other columns are for matching. category,
-- location: lower case, '' for any. words: as job_words is asked, '' for any.
CREATE TABLE searches (
    id         INTEGER NOT NULL PRIMARY KEY,
    user       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    query      TEXT    NOT NULL,
    category   TEXT    NOT NULL,
    location   TEXT    NOT NULL,
    salary_min INTEGER NOT NULL,
    salary_max INTEGER NOT NULL,
    currency   TEXT    NOT NULL,
    words      TEXT    NOT NULL
) STRICT;

CREATE INDEX searches_user ON searches (user, id);
CREATE INDEX searches_match ON searches (category, location, id);

-- What users tell of themselves, and how they log in. handle_key and email_key are
-- handle and email in lower case: SQLite's own lower knows no letters but A to Z.
CREATE TABLE profiles (
    user       TEXT NOT NULL PRIMARY KEY,
    handle     TEXT NOT NULL,
    handle_key TEXT NOT NULL,
    name       TEXT NOT NULL,
    avatar     TEXT NOT NULL,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    phone      TEXT NOT NULL,
    subject    TEXT NOT NULL,
    password   TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX profiles_handle ON profiles (handle_key) WHERE handle_key <> '';
CREATE UNIQUE INDEX profiles_email ON profiles (email_key) WHERE email_key <> '';
CREATE UNIQUE INDEX profiles_phone ON profiles (phone) WHERE phone <> '';
CREATE UNIQUE INDEX profiles_subject ON profiles (subject) WHERE subject <> '';

-- When users were last connected, in microseconds since 1970.
CREATE TABLE seen (
    user TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE seen;
DROP TABLE profiles;
DROP TABLE searches;
DROP TABLE job_words;
DROP TABLE jobs;
DROP TABLE messages;
DROP TABLE members;
DROP TABLE conversations;
DROP TABLE notes;
DROP TABLE comments;
DROP TABLE likes;
DROP TABLE hides;
ALTER TABLE log DROP COLUMN body;
ALTER TABLE posts DROP COLUMN event;
ALTER TABLE posts DROP COLUMN more;
