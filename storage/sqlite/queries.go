package sqlite

import "strings"

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
	insertFullPost
	insertLog
	insertWaypoint
	insertKey
	deletePost
	follow
	unfollow
	mergeMark

	editPost
	setLikes
	countComment
	insertLike
	dropLike
	insertComment
	insertNotes
	dropNote
	dropNotes
	dropPostNotes
	insertConversation
	insertMembers
	insertMessage
	setLast
	seeConversation
	hide
	unhide
	putProfile
	insertJob
	insertJobWords
	dropJob
	dropJobWords

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

	social
	unreadHiding
	pagesHiding
	anyHides

	postFor
	nameOf
	likedAs
	newestLikes
	countLikes
	newestLikers
	toldOf
	member
	memberByKey
	membersOf
	messageIn
	senders
	blockedOf
	hidesOf
	taken

	commentsOf
	notesOf
	conversationsOf
	messagesOf
	membersSeen
	hidden
	acquainted
	membersFor

	jobsNewest
	jobsIn
	jobsAt
	jobsInAt
	jobsMatching
	saveSearch
	dropSearch
	searchesOf
	searchesFor
	makeJobText
	insertJobText
	jobTextMatches

	profileByUser
	profileByHandle
	profileByEmail
	profileByPhone
	profileBySubject
	profilesOf
	setPassword
	sawUser
	lastSeen
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
	insertFullPost: `
INSERT INTO posts (id, author, kind, text, likes, comments, prev, seq, epoch, more, event)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	insertLog: `
INSERT INTO log (id, prev, seq, epoch, kind, actor, target, users, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	insertWaypoint: `INSERT INTO waypoints (shard, seq, id) VALUES (?, ?, ?)`,
	// … and from which id on a key may not be replaced: changes no row when it is taken
	insertKey: `
INSERT INTO keys (user, op, key, hash, id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user, op, key) DO UPDATE SET hash = excluded.hash, id = excluded.id WHERE keys.id < ?`,
	// ?1 id. The log has no other copy of the text: it goes with the event.
	deletePost: `
UPDATE posts SET deleted = 1,
    text = iif(id > (SELECT value FROM settings WHERE name = 'trimmed'), text, ''),
    more = iif(id > (SELECT value FROM settings WHERE name = 'trimmed'), more, NULL)
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

	// ?1 id, ?2 text, ?3 more. What the log tells of the post's making stays as it was.
	editPost: `
UPDATE posts SET text = ?2, more = ?3, event = CASE
    WHEN id > (SELECT value FROM settings WHERE name = 'trimmed') AND event ->> 'was' IS NULL
    THEN json_set(coalesce(event, '{}'), '$.was', json_object('text', text, 'more', json(more)))
    ELSE event END
WHERE id = ?1 AND deleted = 0`,
	// likes, post
	setLikes: `UPDATE posts SET likes = ? WHERE id = ?`,
	// post
	countComment: `UPDATE posts SET comments = comments + 1 WHERE id = ?`,
	insertLike: `
INSERT INTO likes (post, user, id, note) VALUES (?, ?, ?, ?) ON CONFLICT (post, user) DO NOTHING`,
	// post, user
	dropLike:      `DELETE FROM likes WHERE post = ? AND user = ?`,
	insertComment: `INSERT INTO comments (id, post, author, text) VALUES (?, ?, ?, ?)`,
	// ?1 [user, …], ?2 id, ?3 kind, ?4 actor, ?5 post, ?6 comment. The first reason stands.
	insertNotes: `
INSERT INTO notes (user, id, kind, actor, post, comment) SELECT value, ?2, ?3, ?4, ?5, ?6 FROM json_each(?1) WHERE true
ON CONFLICT (user, id) DO NOTHING`,
	// user, id
	dropNote: `DELETE FROM notes WHERE user = ? AND id = ?`,
	// ?1 [[user, id], …]
	dropNotes: `
DELETE FROM notes WHERE (user, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`,
	// ?1 post
	dropPostNotes:      `DELETE FROM notes WHERE post = ?1 AND post > 0`,
	insertConversation: `INSERT INTO conversations (id, key, last) VALUES (?, ?, ?)`,
	// ?1 conversation, ?2 [user, …]
	insertMembers: `INSERT INTO members (user, conversation) SELECT value, ?1 FROM json_each(?2)`,
	insertMessage: `
INSERT INTO messages (id, conversation, author, text, reply, media) VALUES (?, ?, ?, ?, ?, ?)`,
	// message, conversation
	setLast: `UPDATE conversations SET last = ? WHERE id = ?`,
	// ?1 user, ?2 conversation, ?3 upto, ?4 whether it is read
	seeConversation: `
UPDATE members SET got = max(got, ?3), read = iif(?4, max(read, ?3), read) WHERE user = ?1 AND conversation = ?2`,
	hide:   `INSERT INTO hides (user, other, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
	unhide: `DELETE FROM hides WHERE user = ? AND other = ? AND kind = ?`,
	putProfile: `
INSERT INTO profiles (user, handle, handle_key, name, avatar, email, email_key, phone, subject)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user) DO UPDATE SET handle = excluded.handle, handle_key = excluded.handle_key, name = excluded.name,
    avatar = excluded.avatar, email = excluded.email, email_key = excluded.email_key, phone = excluded.phone,
    subject = excluded.subject`,
	insertJob: `
INSERT INTO jobs (id, author, category, location, salary_min, salary_max, currency, closes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
	insertJobWords: `INSERT INTO job_words (rowid, title, place, text) VALUES (?, ?, ?, ?)`,
	// id: changes no row when there is none
	dropJob:      `DELETE FROM jobs WHERE id = ?`,
	dropJobWords: `DELETE FROM job_words WHERE rowid = ?`,

	// owner (NULL: as it was), epoch, first, shard
	claim: `UPDATE shards SET owner = coalesce(?, owner), epoch = ?, epoch_first = ? WHERE shard = ?`,
	// → shard, owner, epoch
	owners: `SELECT shard, owner, epoch FROM shards ORDER BY shard`,
	// ?1 shard, ?2 after, ?3 limit, ?4 id of the last event → id, seq, epoch, and of a post: author, kind,
	// text, more, event; of others: kind, actor, target, users, body. It walks back from the first
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
SELECT b.id, b.seq, coalesce(p.epoch, l.epoch), p.author, p.kind, p.text, p.more, p.event, l.kind, l.actor, l.target, l.users, l.body
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
UPDATE posts SET text = iif(deleted, '', text), more = iif(deleted, NULL, more), event = NULL
WHERE id > (SELECT value FROM settings WHERE name = 'trimmed') AND id <= ?1 AND (deleted = 1 OR event ->> 'was' IS NOT NULL)`,
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
SELECT w.value ->> 0, p.id, p.author, p.kind, p.text, p.likes, p.comments, p.more
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
	post: `SELECT id, author, kind, text, likes, comments, more FROM posts WHERE id = ?1 AND deleted = 0`,
	// ?1 user, ?2 after, ?3 limit → author
	following: `
SELECT author FROM follows f
WHERE follower = ?1 AND author > ?2
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = f.author AND h.kind < 3)
ORDER BY author LIMIT ?3`,
	// ?1 user, ?2 after, ?3 limit → follower
	followers: `
SELECT follower FROM follows f
WHERE author = ?1 AND follower > ?2
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = f.follower AND h.kind < 3)
ORDER BY follower LIMIT ?3`,

	// ?1 [user, …], ?2 keep, ?3 count at most → what, position in ?1, and by what:
	//   1  another user, why hidden
	//   2  the user's display name
	//   3  NULL, mark of notifications, unread ones, the newest of them "id,id"
	//   4  conversation, read mark, unread messages, the newest of them "id,id"
	//   5  NULL, the highest read mark of all conversations
	// Who has none of a kind has no row. What nobody hides is not asked for.
	social: `
WITH u (key, user, hides, mark) AS MATERIALIZED (
    SELECT u.key, u.value, EXISTS (SELECT 1 FROM hides h WHERE h.user = u.value),
        coalesce((SELECT upto FROM marks m WHERE m.user = u.value AND m.list = 2), 0)
    FROM json_each(?1) u)
SELECT 1, u.key, h.other, h.kind, 0, NULL FROM u CROSS JOIN hides h ON h.user = u.user WHERE u.hides
UNION ALL
SELECT 2, u.key, p.name, 0, 0, NULL FROM u CROSS JOIN profiles p ON p.user = u.user WHERE p.name <> ''
UNION ALL
SELECT 3, key, NULL, mark, total, CASE WHEN total > 0 THEN (
    SELECT group_concat(id) FROM (
        SELECT n.id FROM notes n
        WHERE n.user = c.user AND n.id > c.mark AND (NOT c.hides OR iif(n.kind = 'like',
            EXISTS (SELECT 1 FROM likes l WHERE l.note = n.id AND l.note > 0
                AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = c.user AND h.other = l.user)),
            NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = c.user AND h.other = n.actor)))
        ORDER BY n.id DESC LIMIT ?2)) END
FROM (
    SELECT key, user, hides, mark, (
        SELECT count(*) FROM (
            SELECT 1 FROM notes n
            WHERE n.user = u.user AND n.id > u.mark AND (NOT u.hides OR iif(n.kind = 'like',
                EXISTS (SELECT 1 FROM likes l WHERE l.note = n.id AND l.note > 0
                    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = u.user AND h.other = l.user)),
                NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = u.user AND h.other = n.actor)))
            LIMIT ?3)) AS total
    FROM u LIMIT -1) c
WHERE mark > 0 OR total > 0
UNION ALL
SELECT 4, key, conversation, read, total, (
    SELECT group_concat(id) FROM (
        SELECT x.id FROM messages x
        WHERE x.conversation = c.conversation AND x.id > c.read AND x.author <> c.user
            AND (NOT c.hides OR NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = c.user AND h.other = x.author AND h.kind < 3))
        ORDER BY x.id DESC LIMIT ?2))
FROM (
    SELECT u.key, u.user, u.hides, m.conversation, m.read, (
        SELECT count(*) FROM (
            SELECT 1 FROM messages x
            WHERE x.conversation = m.conversation AND x.id > m.read AND x.author <> u.user
                AND (NOT u.hides OR NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = u.user AND h.other = x.author AND h.kind < 3))
            LIMIT ?3)) AS total
    FROM u CROSS JOIN members m ON m.user = u.user
    LIMIT -1) c
WHERE total > 0
UNION ALL
SELECT 5, key, NULL, top, 0, NULL FROM (
    SELECT u.key, (SELECT max(m.read) FROM members m WHERE m.user = u.user) AS top FROM u LIMIT -1)
WHERE top > 0`,
	// ?1 user → a row when anything is hidden from them
	anyHides: `SELECT 1 FROM hides WHERE user = ?1 LIMIT 1`,

	// ?1 id, ?2 viewer, '' for one who sees all → post
	postFor: `
SELECT id, author, kind, text, likes, comments, more FROM posts p
WHERE id = ?1 AND deleted = 0 AND (?2 IN ('', author)
    OR NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = p.author AND h.kind < 3)
    AND (more ->> 'followers' IS NOT 1 OR EXISTS (SELECT 1 FROM follows f WHERE f.follower = ?2 AND f.author = p.author)))`,
	// ?1 user → name
	nameOf: `SELECT name FROM profiles WHERE user = ?1`,
	// ?1 post, ?2 user → the notification of which the user's like is a part
	likedAs: `SELECT note FROM likes WHERE post = ?1 AND user = ?2`,
	// ?1 post → its newest notification of likes
	newestLikes: `SELECT id FROM notes WHERE post = ?1 AND post > 0 AND kind = 'like' ORDER BY id DESC LIMIT 1`,
	// ?1 notification → of how many likes
	countLikes: `SELECT count(*) FROM likes WHERE note = ?1 AND note > 0`,
	// ?1 notification, ?2 user → who else likes, the newest three
	newestLikers: `
SELECT user FROM likes WHERE note = ?1 AND note > 0 AND user <> ?2 ORDER BY id DESC LIMIT 3`,
	// ?1 post, ?2 author → who else has a notification of it
	toldOf: `SELECT DISTINCT user FROM notes WHERE post = ?1 AND post > 0 AND user <> ?2 ORDER BY user`,
	// ?1 user, ?2 conversation → conversation, got, read
	member: `SELECT conversation, got, read FROM members WHERE user = ?1 AND conversation = ?2`,
	// ?1 user, ?2 key of a conversation → conversation, got, read
	memberByKey: `
SELECT conversation, got, read FROM members
WHERE user = ?1 AND conversation = (SELECT id FROM conversations WHERE key = ?2)`,
	// ?1 conversation → user
	membersOf: `SELECT user FROM members WHERE conversation = ?1 ORDER BY user`,
	// ?1 message, ?2 conversation, ?3 user → a row when the one is of the other and no
	// block hides it from the user
	messageIn: `
SELECT 1 FROM messages x
WHERE id = ?1 AND conversation = ?2
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?3 AND h.other = x.author AND h.kind < 3)`,
	// ?1 conversation, ?2 after, ?3 up to, ?4 user → who else has sent messages between
	senders: `
SELECT DISTINCT author FROM messages
WHERE conversation = ?1 AND id > ?2 AND id <= ?3 AND author <> ?4 ORDER BY author LIMIT 256`,
	// ?1 user, ?2 [other, …] → those whom a block hides
	blockedOf: `
SELECT DISTINCT h.other FROM json_each(?2) o CROSS JOIN hides h ON h.user = ?1 AND h.other = o.value AND h.kind < 3
ORDER BY h.other`,
	// ?1 user, ?2 other, ?3 kind → a row when it is so
	hidesOf: `SELECT 1 FROM hides WHERE user = ?1 AND other = ?2 AND kind = ?3`,
	// ?1 user, ?2 handle, ?3 e-mail, ?4 phone, ?5 subject: the first two in lower case
	// → which of them is another's, or NULL
	taken: `
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM profiles WHERE handle_key = ?2 AND handle_key <> '' AND user <> ?1) THEN 'handle'
    WHEN EXISTS (SELECT 1 FROM profiles WHERE email_key = ?3 AND email_key <> '' AND user <> ?1) THEN 'email'
    WHEN EXISTS (SELECT 1 FROM profiles WHERE phone = ?4 AND phone <> '' AND user <> ?1) THEN 'phone'
    WHEN EXISTS (SELECT 1 FROM profiles WHERE subject = ?5 AND subject <> '' AND user <> ?1) THEN 'subject' END`,

	// ?1 post, ?2 viewer, ?3 before, ?4 limit → id, author, text
	commentsOf: `
SELECT id, author, text FROM comments c
WHERE post = ?1 AND id < ?3
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = c.author AND h.kind < 3)
ORDER BY id DESC LIMIT ?4`,
	// ?1 user, ?2 before, ?3 limit → id, kind, actor, post, comment, how many, of likes
	// [user, …], the newest three, and the name of the first of these, else of actor
	notesOf: `
SELECT c.id, c.kind, c.actor, c.post, c.comment, c.count, c.others,
    (SELECT p.name FROM profiles p WHERE p.user = coalesce(c.others ->> 0, c.actor))
FROM (
    SELECT c.id, c.kind, c.actor, c.post, c.comment, c.count, CASE WHEN c.kind = 'like' THEN (
        SELECT json_group_array(user) FROM (
            SELECT l.user FROM likes l
            WHERE l.note = c.id AND l.note > 0
                AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = l.user)
            ORDER BY l.id DESC LIMIT 3)) END AS others
    FROM (
        SELECT n.id, n.kind, n.actor, n.post, n.comment, CASE WHEN n.kind = 'like' THEN (
            SELECT count(*) FROM likes l
            WHERE l.note = n.id AND l.note > 0
                AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = l.user))
            ELSE NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = n.actor) END AS count
        FROM notes n WHERE n.user = ?1 AND n.id < ?2
        ORDER BY n.id DESC LIMIT -1) c
    WHERE c.count > 0
    ORDER BY c.id DESC LIMIT ?3) c
ORDER BY c.id DESC`,
	// ?1 user, ?2 before, ?3 limit, ?4 count at most → conversation, read mark,
	// [member, …], unread, and of the last message that the user may see: id, author,
	// text, reply, media
	conversationsOf: `
WITH mine (conversation, read, last) AS MATERIALIZED (
    SELECT m.conversation, m.read, (
        SELECT x.id FROM messages x
        WHERE x.conversation = m.conversation
            AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = x.author AND h.kind < 3)
        ORDER BY x.id DESC LIMIT 1)
    FROM members m WHERE m.user = ?1),
top (conversation, read, last) AS MATERIALIZED (
    SELECT conversation, read, last FROM mine WHERE last < ?2 ORDER BY last DESC LIMIT ?3)
SELECT t.conversation, t.read,
    (SELECT json_group_array(user) FROM (SELECT user FROM members WHERE conversation = t.conversation ORDER BY user)),
    (SELECT count(*) FROM (
        SELECT 1 FROM messages x
        WHERE x.conversation = t.conversation AND x.id > t.read AND x.author <> ?1
            AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = x.author AND h.kind < 3)
        LIMIT ?4)),
    x.id, x.author, x.text, x.reply, x.media
FROM top t CROSS JOIN messages x ON x.id = t.last
ORDER BY t.last DESC`,
	// ?1 conversation, ?2 user, ?3 before, ?4 limit → id, author, text, reply, media
	messagesOf: `
SELECT id, author, text, reply, media FROM messages x
WHERE conversation = ?1 AND id < ?3
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = x.author AND h.kind < 3)
ORDER BY id DESC LIMIT ?4`,
	// ?1 conversation, ?2 user → the others: user, got, read
	membersSeen: `
SELECT o.user, o.got, o.read
FROM members m CROSS JOIN members o ON o.user = m.user AND o.conversation = ?1
WHERE m.conversation = ?1 AND m.user <> ?2
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = m.user AND h.kind < 3)
ORDER BY m.user`,
	// ?1 user, ?2 kind, ?3 after, ?4 limit → other
	hidden: `SELECT other FROM hides WHERE user = ?1 AND kind = ?2 AND other > ?3 ORDER BY other LIMIT ?4`,
	// ?1 user, ?2 [other, …] → those of them whom the user knows
	acquainted: `
SELECT DISTINCT o.value FROM json_each(?2) o
WHERE (EXISTS (SELECT 1 FROM follows f WHERE f.follower = ?1 AND f.author = o.value)
    OR o.value <> ?1
    AND EXISTS (SELECT 1 FROM members m CROSS JOIN members n ON n.user = o.value AND n.conversation = m.conversation WHERE m.user = ?1))
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?1 AND h.other = o.value AND h.kind < 3)
ORDER BY o.value`,
	// ?1 conversation, ?2 user → the others whom no block hides
	membersFor: `
SELECT user FROM members m
WHERE conversation = ?1 AND user <> ?2
    AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = m.user AND h.kind < 3)
ORDER BY user`,

	// The ways into the jobs board. ?1 limit, ?2 viewer, ?3 category, ?4 location,
	// ?5 salary at least, ?6 salary at most, ?7 currency, ?8 when they are open still, ?9 before
	// that id, ?10 closing by then: '', 0 and NULL for any → score, post. By words also ?11
	// what is asked for, ?12 the score of ?9, ?13 [[what more is asked for, what that scores], …].
	jobsNewest: jobs(`jobs j WHERE j.id < ?9`, `0`, `j.id DESC`),
	jobsIn:     jobs(`jobs j WHERE j.category = ?3 AND j.id < ?9`, `0`, `j.id DESC`),
	jobsAt:     jobs(`jobs j WHERE j.location = ?4 AND j.id < ?9`, `0`, `j.id DESC`),
	jobsInAt:   jobs(`jobs j WHERE j.category = ?3 AND j.location = ?4 AND j.id < ?9`, `0`, `j.id DESC`),
	jobsMatching: jobs(`(
        SELECT id, sum(score) AS score FROM (
            SELECT rowid AS id, 0 AS score FROM job_words WHERE job_words MATCH ?11
            UNION ALL
            SELECT w.rowid, m.value ->> 1 FROM json_each(?13) m CROSS JOIN job_words w WHERE w.job_words MATCH m.value ->> 0)
        GROUP BY id) w
    CROSS JOIN jobs j ON j.id = w.id
    WHERE (?9 = 0 OR w.score < ?12 OR w.score = ?12 AND w.id < ?9)`, `w.score`, `w.score DESC, j.id DESC`),
	// ?1 id, ?2 user … ?10 words, ?11 how many a user may have: changes no row when they have
	saveSearch: `
INSERT INTO searches (id, user, name, query, category, location, salary_min, salary_max, currency, words)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE (SELECT count(*) FROM searches WHERE user = ?2) < ?11`,
	// ?1 user, ?2 id: changes no row when there is none
	dropSearch: `DELETE FROM searches WHERE id = ?2 AND user = ?1`,
	// ?1 user → id, name, query
	searchesOf: `SELECT id, name, query FROM searches WHERE user = ?1 ORDER BY id`,
	// ?1 category, ?2 location, ?3 least and ?4 most salary, ?5 currency, ?6 author of a
	// job → user, words of the searches that it may match, the newest first
	searchesFor: `
SELECT s.user, s.words FROM searches s
WHERE s.category IN ('', ?1) AND s.location IN ('', ?2)
    AND s.salary_min <= ?4 AND (s.salary_max = 0 OR s.salary_max >= ?3) AND s.currency IN ('', ?5)
    AND s.user <> ?6 AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = s.user AND h.other = ?6)
ORDER BY s.id DESC`,
	// A database of one job: what is asked there is answered as job_words would.
	makeJobText: `
CREATE VIRTUAL TABLE job_text USING fts5 (
    title, place, text, content = '', tokenize = 'porter unicode61 remove_diacritics 2')`,
	insertJobText: `INSERT INTO job_text (rowid, title, place, text) VALUES (1, ?, ?, ?)`,
	// ?1 what is asked for → a row when the job matches
	jobTextMatches: `SELECT 1 FROM job_text WHERE job_text MATCH ?1`,

	// ?1 what names it, lower case → profile, password
	profileByUser:    profile + ` WHERE user = ?1`,
	profileByHandle:  profile + ` WHERE handle_key = ?1 AND handle_key <> ''`,
	profileByEmail:   profile + ` WHERE email_key = ?1 AND email_key <> ''`,
	profileByPhone:   profile + ` WHERE phone = ?1 AND phone <> ''`,
	profileBySubject: profile + ` WHERE subject = ?1 AND subject <> ''`,
	// ?1 [user, …] → user, handle, name, avatar
	profilesOf: `
SELECT p.user, p.handle, p.name, p.avatar FROM profiles p WHERE p.user IN (SELECT value FROM json_each(?1)) ORDER BY p.user`,
	// hash, user: changes no row when there is no profile
	setPassword: `UPDATE profiles SET password = ? WHERE user = ?`,
	sawUser: `
INSERT INTO seen (user, at) VALUES (?, ?)
ON CONFLICT (user) DO UPDATE SET at = excluded.at WHERE seen.at < excluded.at`,
	// ?1 [user, …] → user, when
	lastSeen: `SELECT s.user, s.at FROM seen s WHERE s.user IN (SELECT value FROM json_each(?1)) ORDER BY s.user`,
}

// profile is the beginning of what reads one.
const profile = `SELECT user, handle, name, avatar, email, phone, subject, password FROM profiles`

// jobs is the text of a way into the jobs board. The posts are read last, only
// those of the page.
func jobs(from, score, order string) string {
	return strings.NewReplacer("FROM_WHERE", from, "SCORE", score, "ORDER_", order).Replace(`
SELECT b.score, p.id, p.author, p.kind, p.text, p.likes, p.comments, p.more
FROM (
    SELECT j.id, SCORE AS score
    FROM FROM_WHERE
        AND (?3 = '' OR j.category = ?3) AND (?4 = '' OR j.location = ?4)
        AND (?5 = 0 OR j.salary_max >= ?5) AND (?6 = 0 OR j.salary_min <= ?6) AND (?7 = '' OR j.currency = ?7)
        AND (j.closes IS NULL OR j.closes > ?8) AND (?10 IS NULL OR j.closes <= ?10)
        AND NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = ?2 AND h.other = j.author)
    ORDER BY ORDER_ LIMIT ?1) b
CROSS JOIN posts p ON p.id = b.id
ORDER BY b.score DESC, b.id DESC`)
}

// Users from whom others are hidden are asked for by other texts of the same two
// queries: what nobody hides costs nothing.
func init() {
	queries[unreadHiding] = hiding(queries[unread], 2)
	queries[pagesHiding] = hiding(queries[pages], 1)
}

// hiding is a query of what users' authors wrote without those who are hidden from
// the user. It reads follows so many times.
func hiding(query string, times int) string {
	const from = "f.author <> "
	if strings.Count(query, from) != times {
		panic("sqlite: a query does not read follows as it did: " + query)
	}
	return strings.ReplaceAll(query, from,
		"NOT EXISTS (SELECT 1 FROM hides h WHERE h.user = f.follower AND h.other = f.author) AND "+from)
}
