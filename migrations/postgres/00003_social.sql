-- +goose Up

-- What some posts have beside their text: JSON as feedengine.More, '' for none.
-- followers: only the author's followers may see it.
ALTER TABLE posts ADD COLUMN followers boolean NOT NULL DEFAULT false;
ALTER TABLE posts ADD COLUMN more text NOT NULL DEFAULT '';

-- Who is hidden from whom, and why: 1 user_id blocks other, 2 other blocks user_id
-- (the same block, seen from there), 3 user_id mutes other.
CREATE TABLE hides (
    user_id text COLLATE "C" NOT NULL,
    other   text COLLATE "C" NOT NULL,
    kind    smallint NOT NULL,
    PRIMARY KEY (user_id, other, kind)
);

-- A like; note is the notification that it is a part of, 0 for the author's own.
CREATE TABLE likes (
    post    bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    id      bigint NOT NULL, -- of its event
    note    bigint NOT NULL,
    PRIMARY KEY (post, user_id)
);

-- Serves the likes that one notification stands for, newest first.
CREATE INDEX likes_note ON likes (note, id DESC) WHERE note > 0;

CREATE TABLE comments (
    id     bigint PRIMARY KEY,
    post   bigint NOT NULL,
    author text COLLATE "C" NOT NULL,
    text   text NOT NULL
);

CREATE INDEX comments_post ON comments (post, id DESC);

-- Notifications. id is that of the event that began it. Withdrawn ones are gone.
CREATE TABLE notes (
    user_id text COLLATE "C" NOT NULL,
    id      bigint NOT NULL,
    kind    text   NOT NULL,
    actor   text COLLATE "C" NOT NULL, -- of likes, the first
    post    bigint NOT NULL,           -- 0: none
    comment bigint NOT NULL,           -- 0: none
    PRIMARY KEY (user_id, id)
);

-- Serves the withdrawal of what is about a post.
CREATE INDEX notes_post ON notes (post) WHERE post > 0;

-- Serves the newest notification of likes of a post.
CREATE INDEX notes_likes ON notes (post, id DESC) WHERE kind = 'like';

-- Conversations: one for each set of members; key is the SHA-256 of its name.
-- last is its newest message.
CREATE TABLE conversations (
    id   bigint PRIMARY KEY,
    key  bytea  NOT NULL UNIQUE,
    last bigint NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE members (
    conversation bigint NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    got          bigint NOT NULL DEFAULT 0, -- up to where the user's devices have it
    read         bigint NOT NULL DEFAULT 0, -- the read mark, at most got
    PRIMARY KEY (conversation, user_id)
) WITH (fillfactor = 80);

CREATE INDEX members_user ON members (user_id, conversation);

-- more: JSON of what few have (media), '' for none.
CREATE TABLE messages (
    id           bigint PRIMARY KEY,
    conversation bigint NOT NULL,
    author       text COLLATE "C" NOT NULL,
    text         text   NOT NULL,
    reply        bigint NOT NULL DEFAULT 0,
    more         text   NOT NULL DEFAULT ''
);

CREATE INDEX messages_conversation ON messages (conversation, id DESC);

-- The jobs board: what is searched for, of posts of kind 'job'. Deleted ones, and
-- those that not everybody may see, have no row. Among the words stand, without a
-- position and so without a part in the rank, '=c:' with the category, '=l:' with
-- the location and '=m:' with the currency, where there is one: a search for words
-- that filters by these is a single look into one index.
CREATE TABLE jobs (
    id         bigint PRIMARY KEY,
    author     text COLLATE "C" NOT NULL,
    category   text   NOT NULL, -- lower case
    location   text   NOT NULL, -- lower case
    salary_min bigint NOT NULL,
    salary_max bigint NOT NULL, -- at least salary_min
    currency   text   NOT NULL,
    closes     timestamptz,     -- null: open
    words      tsvector NOT NULL
);

CREATE INDEX jobs_words ON jobs USING gin (words);
CREATE INDEX jobs_category ON jobs (category, id DESC);
CREATE INDEX jobs_location ON jobs (location, id DESC);
CREATE INDEX jobs_both ON jobs (category, location, id DESC);

-- Saved searches. query is JSON as feedengine.JobQuery; the columns are for matching.
CREATE TABLE searches (
    id         bigint PRIMARY KEY,
    user_id    text COLLATE "C" NOT NULL,
    name       text   NOT NULL,
    query      text   NOT NULL,
    category   text   NOT NULL, -- lower case, '' for any
    location   text   NOT NULL, -- likewise
    salary_min bigint NOT NULL, -- 0 for any
    salary_max bigint NOT NULL, -- likewise
    currency   text   NOT NULL, -- '' for any
    words      tsquery          -- null: any
);

CREATE INDEX searches_user ON searches (user_id, id);
CREATE INDEX searches_match ON searches (category, location);

-- What users tell of themselves, and how they log in.
CREATE TABLE profiles (
    user_id  text COLLATE "C" PRIMARY KEY,
    handle   text NOT NULL DEFAULT '',
    name     text NOT NULL DEFAULT '',
    avatar   text NOT NULL DEFAULT '',
    email    text NOT NULL DEFAULT '',
    phone    text NOT NULL DEFAULT '',
    subject  text NOT NULL DEFAULT '',
    password text NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX profiles_handle ON profiles (lower(handle)) WHERE handle <> '';
CREATE UNIQUE INDEX profiles_email ON profiles (lower(email)) WHERE email <> '';
CREATE UNIQUE INDEX profiles_phone ON profiles (phone) WHERE phone <> '';
CREATE UNIQUE INDEX profiles_subject ON profiles (subject) WHERE subject <> '';

-- When users were last connected.
CREATE TABLE seen (
    user_id text COLLATE "C" PRIMARY KEY,
    at      timestamptz NOT NULL
) WITH (fillfactor = 80);

-- +goose Down
DROP TABLE seen;
DROP TABLE profiles;
DROP TABLE searches;
DROP TABLE jobs;
DROP TABLE messages;
DROP TABLE members;
DROP TABLE conversations;
DROP TABLE notes;
DROP TABLE comments;
DROP TABLE likes;
DROP TABLE hides;
ALTER TABLE posts DROP COLUMN more;
ALTER TABLE posts DROP COLUMN followers;
