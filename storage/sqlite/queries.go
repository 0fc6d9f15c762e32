package sqlite

// query names one of queries.
type query uint8

const (
	begin query = iota
	beginRead
	commit
	rollback

	setting
	set
	makeShards
	makeTails

	dataVersion
	readAllHeads
	readTails
	tailsOf
	setTails
	insertPost
	insertLog
	insertWaypoint
	insertKey
	deletePost
	follow
	unfollow
	mergeMark

	claim
	owners
	readLog
	findKeys
	trimTo
	trimmedPosts
	trimPostWaypoints
	trimLogWaypoints
	trimTexts
	trimLog
	setTrimmed
	trimKeys

	follows
	unread
	pages
	followed
	degree
	post
	following
	followers
)

// queries is all the SQL that the package has, by name. A comment says what
// the ?n are and what the answer's columns are. Sets of anything come as one
// JSON array, so that the number of statements does not depend on how many
// there are.
//
// The driver asks for the name of a ?n at every call: what runs for each row of
// an append has nameless ones.
//
// CROSS JOIN is SQLite's word for "in this order"
// (https://www.sqlite.org/optoverview.html#crossjoin): the planner, which has no
// statistics here, is not asked.
var queries = [...]string{
	begin:     `BEGIN IMMEDIATE`,
	beginRead: `BEGIN`,
	commit:    `COMMIT`,
	rollback:  `ROLLBACK`,

	// ?1 name → value
	setting: `SELECT value FROM settings WHERE name = ?1`,
	// ?1 name, ?2 value
	set: `INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
	// ?1 S
	makeShards: `
WITH RECURSIVE n (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM n WHERE shard + 1 < ?1)
INSERT INTO shards (shard) SELECT shard FROM n`,
	// ?1 S
	makeTails: `
WITH RECURSIVE n (block) AS (SELECT 0 UNION ALL SELECT block + 1 FROM n WHERE (block + 1) * 64 < ?1)
INSERT INTO tails (block, tails) SELECT block, zeroblob(16 * min(64, ?1 - block * 64)) FROM n`,

	// → a number that another connection's commit changes
	dataVersion: `PRAGMA data_version`,
	// → of each shard: epoch, first, and with the first of each 64 their tails
	readAllHeads: `
SELECT s.epoch, s.epoch_first, t.tails
FROM shards s LEFT JOIN tails t ON t.block = s.shard / 64 AND s.shard % 64 = 0
ORDER BY s.shard`,
	// → of each 64 shards the tails; with the first of them the sum of all epochs
	readTails: `SELECT tails, iif(block = 0, (SELECT sum(epoch) FROM shards), 0) FROM tails ORDER BY block`,
	// ?1 block → tails
	tailsOf: `SELECT tails FROM tails WHERE block = ?1`,
	// tails, block
	setTails: `UPDATE tails SET tails = ? WHERE block = ?`,

	insertPost: `
INSERT INTO posts (id, author, kind, text, likes, comments, prev, seq, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	insertLog: `
INSERT INTO log (id, prev, seq, epoch, kind, actor, target, users) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
	insertWaypoint: `INSERT INTO waypoints (shard, seq, id) VALUES (?, ?, ?)`,
	// … and from which id on a key may not be replaced: changes no row when it is taken
	insertKey: `
INSERT INTO keys (user, op, key, hash, id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user, op, key) DO UPDATE SET hash = excluded.hash, id = excluded.id WHERE keys.id < ?`,
	// ?1 id. The log has no other copy of the text: it goes with the event.
	deletePost: `
UPDATE posts SET deleted = 1, text = iif(id > (SELECT value FROM settings WHERE name = 'trimmed'), text, '')
WHERE id = ?1 AND deleted = 0`,
	// ?1 follower, ?2 [author, …], ?3 since
	follow: `
INSERT INTO follows (follower, author, since) SELECT ?1, value, ?3 FROM json_each(?2) WHERE true
ON CONFLICT (follower, author) DO NOTHING`,
	// ?1 follower, ?2 [author, …]
	unfollow: `
DELETE FROM follows WHERE follower = ?1 AND author IN (SELECT value FROM json_each(?2))`,
	mergeMark: `
INSERT INTO marks (user, list, upto) VALUES (?, ?, ?)
ON CONFLICT (user, list) DO UPDATE SET upto = excluded.upto WHERE marks.upto < excluded.upto`,

	// owner (NULL: as it was), epoch, first, shard
	claim: `UPDATE shards SET owner = coalesce(?, owner), epoch = ?, epoch_first = ? WHERE shard = ?`,
	// → shard, owner, epoch
	owners: `SELECT shard, owner, epoch FROM shards ORDER BY shard`,
	// ?1 shard, ?2 after, ?3 limit, ?4 id of the last event → id, seq, epoch, and of a post: author, kind,
	// text; of others: kind, actor, target, users. It walks back from the first
	// waypoint that has limit events between it and after, else from the head.
	readLog: `
WITH RECURSIVE
start (id) AS MATERIALIZED (SELECT coalesce(
    (SELECT id FROM waypoints WHERE shard = ?1 AND seq >= ?2 + ?3 ORDER BY seq LIMIT 1), ?4)),
trimmed (id) AS MATERIALIZED (SELECT value FROM settings WHERE name = 'trimmed'),
back (id, seq, prev) AS (
    SELECT p.id, p.seq, p.prev FROM start s CROSS JOIN posts p ON p.id = s.id WHERE p.seq > ?2
    UNION ALL
    SELECT l.id, l.seq, l.prev FROM start s CROSS JOIN log l ON l.id = s.id WHERE l.seq > ?2
    UNION ALL
    SELECT p.id, p.seq, p.prev FROM back b CROSS JOIN posts p ON p.id = b.prev
    WHERE p.seq > ?2 AND p.id > (SELECT id FROM trimmed)
    UNION ALL
    SELECT l.id, l.seq, l.prev FROM back b CROSS JOIN log l ON l.id = b.prev
    WHERE l.seq > ?2 AND l.id > (SELECT id FROM trimmed))
SELECT b.id, b.seq, coalesce(p.epoch, l.epoch), p.author, p.kind, p.text, l.kind, l.actor, l.target, l.users
FROM (SELECT id, seq FROM back ORDER BY seq LIMIT ?3) b
LEFT JOIN posts p ON p.id = b.id
LEFT JOIN log l ON l.id = b.id
ORDER BY b.seq`,
	// ?1 [[user, op, key], …], ?2 id from which on a key is young enough
	// → position in ?1, hash, id
	findKeys: `
SELECT a.key, k.hash, k.id
FROM json_each(?1) a
CROSS JOIN keys k ON k.user = a.value ->> 0 AND k.op = a.value ->> 1 AND k.key = a.value ->> 2
WHERE k.id >= ?2`,
	// ?1 ids below, ?2 rows, ?3 [id, …] of the logs' last events → the last id of a piece of about that many events that
	// may go, NULL when there are none
	trimTo: `
WITH trimmed (id) AS MATERIALIZED (SELECT value FROM settings WHERE name = 'trimmed')
SELECT max(id) FROM (
    SELECT id FROM (
        SELECT id FROM posts
        WHERE id > (SELECT id FROM trimmed) AND id < ?1 AND id NOT IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT ?2)
    UNION ALL
    SELECT id FROM (
        SELECT id FROM log WHERE id < ?1 AND id NOT IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT ?2)
    ORDER BY id LIMIT ?2)`,
	// ?1 the last id that goes, ?2 [id, …] of the logs' last events → how many posts' events that are
	trimmedPosts: `
SELECT count(*) FROM posts
WHERE id > (SELECT value FROM settings WHERE name = 'trimmed') AND id <= ?1 AND id NOT IN (SELECT value FROM json_each(?2))`,
	// ?1 the last id that goes
	trimPostWaypoints: `
DELETE FROM waypoints WHERE (shard, seq) IN (
    SELECT id & 1023, seq FROM posts
    WHERE id > (SELECT value FROM settings WHERE name = 'trimmed') AND id <= ?1 AND seq % 256 = 0)`,
	// ?1 the last id that goes
	trimLogWaypoints: `
DELETE FROM waypoints WHERE (shard, seq) IN (SELECT id & 1023, seq FROM log WHERE id <= ?1 AND seq % 256 = 0)`,
	// ?1 the last id that goes
	trimTexts: `
UPDATE posts SET text = ''
WHERE id > (SELECT value FROM settings WHERE name = 'trimmed') AND id <= ?1 AND deleted = 1`,
	// ?1 the last id that goes, ?2 [id, …] of the logs' last events
	trimLog: `DELETE FROM log WHERE id <= ?1 AND id NOT IN (SELECT value FROM json_each(?2))`,
	// ?1 the last id that is gone
	setTrimmed: `UPDATE settings SET value = ?1 WHERE name = 'trimmed' AND value < ?1`,
	// ?1 ids below, ?2 rows
	trimKeys: `
DELETE FROM keys WHERE id <= (SELECT max(id) FROM (SELECT id FROM keys WHERE id < ?1 ORDER BY id LIMIT ?2))`,

	// ?1 [user, …] → position in ?1, "author-since,author-since" of those followed,
	// NULL without any; no user id has a comma. One row for a user: the driver and
	// its caller take about 1 µs for a row of three.
	follows: `
SELECT u.key, (SELECT group_concat(f.author || -f.since) FROM follows f WHERE f.follower = u.value)
FROM json_each(?1) u`,
	// ?1 [user, …], ?2 keep, ?3 count at most → position in ?1, mark, how many,
	// [[id, author], …] of the newest ones in no order.
	// Counting stops at ?3. Then the authors of the newest unread posts are found,
	// no more than ?2 since no others' can be among the newest ?2, and of each at
	// most its newest ?2.
	unread: `
WITH marked (key, user, mark) AS MATERIALIZED (
    SELECT u.key, u.value, coalesce((SELECT upto FROM marks m WHERE m.user = u.value AND m.list = 1), 0)
    FROM json_each(?1) u),
counted (key, user, mark, total) AS MATERIALIZED (
    SELECT key, user, mark, (
        SELECT count(*) FROM (
            SELECT 1
            FROM follows f
            CROSS JOIN posts p ON p.author = f.author AND p.deleted = 0 AND p.id > iif(f.since > mark, f.since, mark)
            WHERE f.follower = user AND f.author <> user
            LIMIT ?3))
    FROM marked)
SELECT key, mark, total, CASE WHEN total > 0 THEN (
    SELECT json_group_array(json_array(id, author)) FROM (
        SELECT p.id, p.author
        FROM (
            SELECT f.author, iif(f.since > mark, f.since, mark) AS above, (
                SELECT p.id FROM posts p
                WHERE p.author = f.author AND p.deleted = 0 AND p.id > iif(f.since > mark, f.since, mark)
                ORDER BY p.id DESC LIMIT 1) AS newest
            FROM follows f
            WHERE f.follower = user AND f.author <> user
            ORDER BY newest DESC LIMIT ?2) a
        CROSS JOIN posts p ON p.author = a.author AND p.deleted = 0 AND p.id >= coalesce((
            SELECT p.id FROM posts p
            WHERE p.author = a.author AND p.deleted = 0 AND p.id > a.above
            ORDER BY p.id DESC LIMIT 1 OFFSET ?2 - 1), a.above + 1)
        WHERE a.newest IS NOT NULL
        ORDER BY p.id DESC LIMIT ?2)) END
FROM counted`,
	// ?1 [[position, user, before], …], ?2 limit → position, post, the posts of one
	// position in no order.
	// Each author's newest id comes first, the authors of the newest ones are kept,
	// no more than the page has posts since no others can be on it, and of each at
	// most that many posts. Posts themselves are read last, only those of the page.
	pages: `
SELECT w.value ->> 0, p.id, p.author, p.kind, p.text, p.likes, p.comments
FROM json_each(?1) w
CROSS JOIN posts p ON p.id IN (
    SELECT q.id
    FROM (
        SELECT b.author, (
            SELECT n.id FROM posts n
            WHERE n.author = b.author AND n.deleted = 0 AND n.id < w.value ->> 2
            ORDER BY n.id DESC LIMIT 1) AS newest
        FROM (
            SELECT w.value ->> 1 AS author
            UNION ALL
            SELECT f.author FROM follows f
            WHERE f.follower = w.value ->> 1 AND f.author <> w.value ->> 1) b
        ORDER BY newest DESC LIMIT ?2) a
    CROSS JOIN posts q ON q.author = a.author AND q.deleted = 0 AND q.id <= a.newest AND q.id >= coalesce((
        SELECT n.id FROM posts n
        WHERE n.author = a.author AND n.deleted = 0 AND n.id <= a.newest
        ORDER BY n.id DESC LIMIT 1 OFFSET ?2 - 1), 0)
    ORDER BY q.id DESC LIMIT ?2)`,
	// ?1 user, ?2 [author, …] → author, since
	followed: `
SELECT f.author, f.since FROM follows f
WHERE f.follower = ?1 AND f.author IN (SELECT value FROM json_each(?2)) ORDER BY f.author`,
	// ?1 user → how many they follow
	degree: `SELECT count(*) FROM follows WHERE follower = ?1`,
	// ?1 id → post
	post: `SELECT id, author, kind, text, likes, comments FROM posts WHERE id = ?1 AND deleted = 0`,
	// ?1 user, ?2 after, ?3 limit → author
	following: `SELECT author FROM follows WHERE follower = ?1 AND author > ?2 ORDER BY author LIMIT ?3`,
	// ?1 user, ?2 after, ?3 limit → follower
	followers: `SELECT follower FROM follows WHERE author = ?1 AND follower > ?2 ORDER BY follower LIMIT ?3`,
}
