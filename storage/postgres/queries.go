package postgres

import "strings"

// queries is all the SQL that the package has. A field's comment says what $n
// are and what it answers. Sets of rows come as one array per column, so that
// the number of statements does not depend on how many rows there are.
//
// Reads that go by index for each of many users or authors do so through
// LATERAL subqueries with a LIMIT (or OFFSET 0): the planner cannot turn those
// into a join that reads a table whole, whatever it thinks of the table's size.
type queries struct {
	// Opening.
	Durable    string // commits wait for the disk, even where the server's default is that they do not
	Encoding   string // → server encoding
	Setting    string // $1 name → value
	Set        string // $1 name, $2 value: only when it is not there
	MakeShards string // as many as settings says
	Writable   string // fails when the server takes no writes

	// Append.
	Fence       string // $1 shards, $2 epochs: locks in shard order; fails when one differs
	Unbroken    string // $1 shards, $2 seqs to come: fails when a log does not end below its seq
	InsertLog   string // $1 shards, $2 seqs, $3 epochs, $4 ids, $5 kinds, $6 actors, $7 bodies
	InsertKeys  string // $1 users, $2 ops, $3 keys, $4 hashes, $5 ids, $6 older ones may be replaced; fails when one is taken
	InsertPosts string // $1 ids, $2 authors, $3 kinds, $4 texts, $5 likes, $6 comments
	DeletePosts string // $1 ids
	Unfollow    string // $1 followers, $2 authors
	Follow      string // $1 followers, $2 authors, $3 since
	MergeMarks  string // $1 users, $2 lists, $3 upto

	// Claim.
	Patience   string // this transaction waits longer for locks than an append
	LockShards string // $1 shards, distinct: locks in shard order; fails when one is missing
	Claim      string // $1 shards, $2 epochs, $3 owner → of each in order: shard, won, epoch, first, seq, id
	EndOwners  string // $1 pid that waits, $2 shards, $3 epochs → ends those of their owners' backends that it waits for
	Owners     string // → shard, owner, epoch

	// Members.
	Beat        string // $1 node, $2 incarnation, $3 gateway, $4 shard, $5 state, $6 admin, $7 version, $8 started; fails when the name is another's
	Leave       string // $1 node, $2 incarnation
	ForgetNodes string // deletes who has not beaten for an hour
	Clock       string // → now
	Members     string // → node, incarnation, beat, gateway, shard, state, admin, version, started

	// The log.
	ReadLogs string // $1 shards, $2 after, $3 limit of each → shard, seq, epoch, id, kind, actor, body
	Keys     string // $1 users, $2 ops, $3 keys, $4 id above which a key is young enough → ordinal, hash, id
	TrimLog  string // $1 ids below, $2 rows of each shard, $3 rows in all
	TrimKeys string // $1 ids below, $2 rows

	// Views.
	Heads    string // → shard, epoch, first, seq, id
	Follows  string // $1 users → ordinal, authors, since of each
	Unread   string // $1 users, $2 keep, at least 1, $3 count at most → ordinal, mark, count, the newest ids, their authors
	Pages    string // $1 users, $2 posts of each → ordinal, post
	Followed string // $1 user, $2 authors → author, since
	Degree   string // $1 user → how many they follow
	Post     string // $1 id → post

	// Reads.
	Feed      string // $1 user, $2 before, $3 limit → post
	Following string // $1 user, $2 after, $3 limit → author
	Followers string // $1 user, $2 after, $3 limit → follower
}

var q = queries{
	Durable: `
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'`,
	Encoding: `SELECT current_setting('server_encoding')`,
	Setting:  `SELECT value FROM settings WHERE name = $1`,
	Set:      `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
	MakeShards: `
INSERT INTO shards (shard)
SELECT generate_series(0, (SELECT value::int - 1 FROM settings WHERE name = 'shards'))
ON CONFLICT DO NOTHING`,
	Writable: `
SELECT feedgate_require(
    NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean,
    '25006', 'the server takes no writes')`,

	Fence: `
WITH held AS (
    SELECT s.epoch = f.epoch AS ours
    FROM shards s JOIN unnest($1::smallint[], $2::bigint[]) f(shard, epoch) ON s.shard = f.shard
    ORDER BY s.shard
    FOR NO KEY UPDATE OF s)
SELECT feedgate_require((SELECT count(*) FROM held WHERE ours) = cardinality($1::smallint[]),
    'FG001', 'shard claimed under another epoch')`,
	// Below the first seq there is the log's last row, which is never trimmed.
	Unbroken: `
WITH broken AS (
    SELECT 1 FROM unnest($1::smallint[], $2::bigint[]) e(shard, seq)
    LEFT JOIN LATERAL (SELECT 1 AS there FROM log WHERE shard = e.shard AND seq = e.seq - 1 OFFSET 0) l ON true
    WHERE e.seq > 1 AND l.there IS NULL)
SELECT feedgate_require(NOT EXISTS (SELECT 1 FROM broken), 'FG001', 'the log does not end where its writer left it')`,
	InsertLog: `
INSERT INTO log (shard, seq, epoch, id, kind, actor, body)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[])`,
	InsertKeys: `
WITH put AS (
    INSERT INTO keys (user_id, op, key, hash, id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
    ON CONFLICT (user_id, op, key) DO UPDATE SET hash = excluded.hash, id = excluded.id
    WHERE keys.id < $6
    RETURNING 1)
SELECT feedgate_require((SELECT count(*) FROM put) = cardinality($1::text[]),
    'FG002', 'idempotency key is taken')`,
	InsertPosts: `
INSERT INTO posts (id, author, kind, text, likes, comments)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[])`,
	DeletePosts: `
UPDATE posts SET deleted = true, text = '' WHERE id = ANY ($1::bigint[]) AND NOT deleted`,
	Unfollow: `
DELETE FROM follows WHERE ctid = ANY (ARRAY (
    SELECT f.ctid
    FROM unnest($1::text[], $2::text[]) u(follower, author)
    CROSS JOIN LATERAL (
        SELECT ctid FROM follows WHERE follower = u.follower AND author = u.author LIMIT 1) f))`,
	Follow: `
INSERT INTO follows (follower, author, since)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT (follower, author) DO NOTHING`,
	MergeMarks: `
INSERT INTO marks (user_id, list, upto)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[])
ON CONFLICT (user_id, list) DO UPDATE SET upto = excluded.upto
WHERE marks.upto < excluded.upto`,

	Patience: `SELECT set_config('lock_timeout', '4500ms', true)`,
	LockShards: `
WITH held AS (SELECT shard FROM shards WHERE shard = ANY ($1::smallint[]) ORDER BY shard FOR NO KEY UPDATE)
SELECT feedgate_require((SELECT count(*) FROM held) = cardinality($1::smallint[]),
    'FG003', 'no such shard')`,
	Claim: `
WITH won AS (
    UPDATE shards s SET owner = $3, epoch = s.epoch + 1, epoch_first = 1 + coalesce(
        (SELECT l.seq FROM log l WHERE l.shard = s.shard ORDER BY l.seq DESC LIMIT 1), 0)
    FROM unnest($1::smallint[], $2::bigint[]) e(shard, epoch)
    WHERE s.shard = e.shard AND s.epoch = e.epoch
    RETURNING s.shard, s.epoch, s.epoch_first)
SELECT s.shard, w.shard IS NOT NULL, coalesce(w.epoch, s.epoch), coalesce(w.epoch_first, s.epoch_first),
    coalesce(l.seq, 0), coalesce(l.id, 0)
FROM unnest($1::smallint[]) WITH ORDINALITY e(shard, ord)
JOIN shards s ON s.shard = e.shard
LEFT JOIN won w ON w.shard = e.shard
LEFT JOIN LATERAL (SELECT seq, id FROM log WHERE shard = s.shard ORDER BY seq DESC LIMIT 1) l ON true
ORDER BY e.ord`,
	EndOwners: `
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid = ANY (pg_blocking_pids($1::int))
AND application_name IN (
    SELECT s.owner FROM shards s JOIN unnest($2::smallint[], $3::bigint[]) e(shard, epoch)
    ON s.shard = e.shard AND s.epoch = e.epoch)`,
	Owners: `SELECT shard, owner, epoch FROM shards ORDER BY shard`,

	// A node that stopped without leaving, or whose clock was put back, must get its
	// name again: one that has not beaten for 10 s gives way to any.
	Beat: `
WITH beaten AS (
    INSERT INTO nodes AS n (node, incarnation, beat, gateway, shard, state, admin, version, started, seen)
    VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, clock_timestamp())
    ON CONFLICT (node) DO UPDATE SET incarnation = excluded.incarnation, beat = n.beat + 1, gateway = excluded.gateway,
        shard = excluded.shard, state = excluded.state, admin = excluded.admin, version = excluded.version,
        started = excluded.started, seen = excluded.seen
    WHERE n.incarnation = excluded.incarnation
        OR (n.started, n.incarnation) < (excluded.started, excluded.incarnation)
        OR n.seen < excluded.seen - interval '10 s'
    RETURNING 1)
SELECT feedgate_require((SELECT count(*) FROM beaten) = 1, 'FG001', 'another process has this node''s name')`,
	Leave: `DELETE FROM nodes WHERE node = $1 AND incarnation = $2`,
	// Who is just being renewed or deleted is passed over: beats do not wait for each other.
	ForgetNodes: `
DELETE FROM nodes WHERE node IN (
    SELECT node FROM nodes WHERE seen < clock_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED)`,
	Clock: `SELECT clock_timestamp()`,
	Members: `
SELECT node, incarnation, beat, gateway, shard, state, admin, version, started FROM nodes ORDER BY node`,

	ReadLogs: `
SELECT a.shard, l.* FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY a(shard, after, ord)
CROSS JOIN LATERAL (
    SELECT seq, epoch, id, kind, actor, body FROM log
    WHERE shard = a.shard AND seq > a.after ORDER BY seq LIMIT $3) l
ORDER BY a.ord, l.seq`,
	Keys: `
SELECT a.ord, k.hash, k.id
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY a(user_id, op, key, ord)
CROSS JOIN LATERAL (
    SELECT hash, id FROM keys
    WHERE user_id = a.user_id AND op = a.op AND key = a.key AND id >= $4 LIMIT 1) k`,
	// A shard's rows are looked at from the oldest on and no further than $2, so
	// that a call with nothing to delete does not read the log.
	TrimLog: `
DELETE FROM log WHERE ctid = ANY (ARRAY (
    SELECT o.ctid
    FROM shards s
    CROSS JOIN LATERAL (SELECT seq FROM log WHERE shard = s.shard ORDER BY seq DESC LIMIT 1) last
    CROSS JOIN LATERAL (SELECT ctid, seq, id FROM log WHERE shard = s.shard ORDER BY seq LIMIT $2) o
    WHERE o.id < $1 AND o.seq < last.seq
    LIMIT $3))`,
	TrimKeys: `
DELETE FROM keys WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM keys WHERE id < $1 ORDER BY id LIMIT $2))`,

	Heads: `
SELECT s.shard, s.epoch, s.epoch_first, coalesce(l.seq, 0), coalesce(l.id, 0)
FROM shards s
LEFT JOIN LATERAL (SELECT seq, id FROM log WHERE shard = s.shard ORDER BY seq DESC LIMIT 1) l ON true
ORDER BY s.shard`,
	Follows: `
SELECT u.ord, f.authors, f.since
FROM unnest($1::text[]) WITH ORDINALITY u(name, ord)
CROSS JOIN LATERAL (
    SELECT array_agg(e.author) AS authors, array_agg(e.since) AS since
    FROM (SELECT author, since FROM follows WHERE follower = u.name ORDER BY author OFFSET 0) e) f`,
	// found counts from each author's index range above the mark and the follow,
	// and stops at $3. Only when it stopped there it may lack the newest ones. Then
	// newest finds them as a page does: from the newest four of each author it
	// learns which authors have any of them, and an id below which none is.
	Unread: `
SELECT u.ord, coalesce(m.upto, 0), coalesce(found.total, 0),
    CASE WHEN found.total < $3 THEN found.ids ELSE newest.ids END,
    CASE WHEN found.total < $3 THEN found.authors ELSE newest.authors END
FROM unnest($1::text[]) WITH ORDINALITY u(name, ord)
LEFT JOIN LATERAL (SELECT upto FROM marks WHERE user_id = u.name AND list = 1 LIMIT 1) m ON true
CROSS JOIN LATERAL (
    SELECT max(n.total) AS total, array_agg(n.id) AS ids, array_agg(n.author) AS authors
    FROM (
        SELECT e.id, e.author, count(*) OVER () AS total
        FROM (
            SELECT f.author, p.id
            FROM follows f
            CROSS JOIN LATERAL (
                SELECT id FROM posts
                WHERE author = f.author AND NOT deleted AND id > greatest(f.since, m.upto)
                ORDER BY id DESC LIMIT $3) p
            WHERE f.follower = u.name AND f.author <> u.name
            LIMIT $3) e
        ORDER BY e.id DESC LIMIT $2) n) found
LEFT JOIN LATERAL (
    SELECT array_agg(n.id) AS ids, array_agg(n.author) AS authors
    FROM (
        SELECT a.author, p.id
        FROM (
            SELECT s.author, max(s.above) AS above,
                CASE WHEN sum(count(*)) OVER () >= $2 THEN min(min(s.id)) OVER () ELSE 0 END AS floor
            FROM (
                SELECT f.author, greatest(f.since, m.upto) AS above, top.id
                FROM follows f
                CROSS JOIN LATERAL (
                    SELECT id FROM posts
                    WHERE author = f.author AND NOT deleted AND id > greatest(f.since, m.upto)
                    ORDER BY id DESC LIMIT 4) top
                WHERE found.total >= $3 AND f.follower = u.name AND f.author <> u.name
                ORDER BY top.id DESC LIMIT $2) s
            GROUP BY s.author) a
        CROSS JOIN LATERAL (
            SELECT id FROM posts
            WHERE author = a.author AND NOT deleted AND id > a.above AND id >= a.floor
            ORDER BY id DESC LIMIT $2) p
        ORDER BY p.id DESC LIMIT $2) n) newest ON true`,
	Pages: `
SELECT u.ord, page.*
FROM unnest($1::text[], $2::int[]) WITH ORDINALITY u(name, posts, ord)
CROSS JOIN LATERAL (` + page("u.name", "9223372036854775807", "u.posts") + `) page
ORDER BY u.ord, page.id DESC`,
	Followed: `
SELECT f.author, f.since
FROM unnest($2::text[]) a(author)
CROSS JOIN LATERAL (SELECT author, since FROM follows WHERE follower = $1 AND author = a.author LIMIT 1) f
ORDER BY f.author`,
	Degree: `SELECT count(*) FROM follows WHERE follower = $1`,
	Post: `
SELECT id, author, kind, text, likes, comments FROM posts WHERE id = $1 AND NOT deleted`,

	Feed: page("$1", "$2", "$3"),
	Following: `
SELECT author FROM follows WHERE follower = $1 AND author > $2 ORDER BY author LIMIT $3`,
	Followers: `
SELECT follower FROM follows WHERE author = $1 AND follower > $2 ORDER BY follower LIMIT $3`,
}

// appendQueries are the statements of an append, in the order in which they run.
var appendQueries = []string{
	q.Fence, q.InsertLog, q.InsertKeys, q.InsertPosts, q.DeletePosts, q.Unfollow, q.Follow, q.MergeMarks,
}

// page is the text that finds a user's feed page, given the expressions of the
// user, the id that the posts are below, and how many.
//
// It takes each author's newest id first and keeps the authors of the newest
// ones: as many as posts are wanted, since no others can be on the page. When
// there are that many, nothing older than the oldest of those ids is on it
// either. Posts themselves are read last, and only those of the page.
func page(user, before, limit string) string {
	return strings.NewReplacer("USER", user, "BEFORE", before, "MANY", limit).Replace(`
SELECT p.*
FROM (
    SELECT p.id
    FROM (
        SELECT n.author, CASE WHEN count(*) OVER () >= MANY THEN min(n.id) OVER () ELSE 0 END AS floor
        FROM (
            SELECT a.author, newest.id
            FROM (
                SELECT USER::text AS author
                UNION ALL
                SELECT author FROM follows WHERE follower = USER AND author <> USER) a
            CROSS JOIN LATERAL (
                SELECT id FROM posts
                WHERE author = a.author AND NOT deleted AND id < BEFORE
                ORDER BY id DESC LIMIT 1) newest
            ORDER BY newest.id DESC LIMIT MANY) n) top
    CROSS JOIN LATERAL (
        SELECT id FROM posts
        WHERE author = top.author AND NOT deleted AND id < BEFORE AND id >= top.floor
        ORDER BY id DESC LIMIT MANY) p
    ORDER BY p.id DESC LIMIT MANY) best
CROSS JOIN LATERAL (
    SELECT id, author, kind, text, likes, comments FROM posts WHERE id = best.id LIMIT 1) p
ORDER BY p.id DESC`)
}
