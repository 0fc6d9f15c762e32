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
	InsertPosts string // $1 ids, $2 authors, $3 kinds, $4 texts, $5 likes, $6 comments, $7 for followers only, $8 mores
	ChangePosts string // $1 ids, $2 edited, $3 texts, $4 for followers only, $5 mores, $6 likes (-1: stay), $7 more comments, $8 deleted
	Unfollow    string // $1 followers, $2 authors
	Follow      string // $1 followers, $2 authors, $3 since
	MergeMarks  string // $1 users, $2 lists, $3 upto

	// Append, beside feeds.
	InsertComments     string // $1 ids, $2 posts, $3 authors, $4 texts
	Unlike             string // $1 posts, $2 users
	Like               string // $1 posts, $2 users, $3 ids, $4 notes
	InsertNotes        string // $1 users, $2 ids, $3 kinds, $4 actors, $5 posts, $6 comments
	DeleteNotes        string // $1 users, $2 ids
	DeletePostNotes    string // $1 posts
	Show               string // $1 users, $2 others, $3 kinds
	Hide               string // $1 users, $2 others, $3 kinds
	OpenConversations  string // $1 ids, $2 keys, $3 last messages
	InsertMembers      string // $1 conversations, $2 users
	InsertMessages     string // $1 ids, $2 conversations, $3 authors, $4 texts, $5 replies, $6 mores
	TouchConversations string // $1 ids, $2 last messages
	MergeSeen          string // $1 conversations, $2 users, $3 got, $4 read
	LockProfiles       string // until the transaction's end
	PutProfiles        string // $1 users, $2 handles, $3 names, $4 avatars, $5 e-mails, $6 phones, $7 subjects
	DropJobs           string // $1 ids
	PutJobs            string // $1 ids, $2 authors, $3 categories, $4 locations, $5 at least, $6 at most, $7 currencies, $8 close, $9 titles' words, $10 places' words, $11 texts' words, $12 filters' words

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
	Follows  string // $1 users → ordinal, display name, authors, since of each, others, kinds of each hide
	Unread   string // $1 users, $2 keep, at least 1, $3 count at most → ordinal, conversation (0: none), mark, count, the newest ids, their authors, notes' mark, count, newest ids, highest mark of conversations
	Pages    string // $1 users, $2 posts of each → ordinal, post
	Followed string // $1 user, $2 authors → author, since
	Degree   string // $1 user → how many they follow
	Post     string // $1 id → post

	// Reads.
	Feed      string // $1 user, $2 before, $3 limit → post
	Following string // $1 user, $2 after, $3 limit → author
	Followers string // $1 user, $2 after, $3 limit → follower

	// Decisions.
	PostFor      string // $1 viewer ("": all), $2 id → post, where the viewer may see it
	Name         string // $1 user → display name
	Liked        string // $1 user, $2 post → note
	LikesNote    string // $1 post → the newest notification of likes
	LikesOf      string // $1 user, $2 post → count of the note that the like is of, or else of the newest; its newest actors but for the user
	Told         string // $1 post → users, but for its author
	Conversation string // $1 user, $2 id → id, got, read, members
	ByKey        string // $1 user, $2 key → id, got, read, members
	Replied      string // $1 message, $2 conversation, $3 user → whether it is there and no block hides it
	Senders      string // $1 user, $2 conversation, $3 above, $4 up to, $5 limit → authors but for the user
	Blocked      string // $1 user, $2 others → those with a block either way
	Hides        string // $1 user, $2 other, $3 kind → whether it stands
	Taken        string // $1 user, $2 handle, $3 e-mail, $4 phone, $5 subject → which are another's
	Alerts       string // $1 author, $2 category, $3 location, $4 at least, $5 at most, $6 currency, $7 title's words, $8 places' words, $9 text's words, $10 limit → users

	// Social.
	Comments      string // $1 viewer, $2 post, $3 before, $4 limit → id, post, author, text
	Notes         string // $1 user, $2 before, $3 limit → id, kind, actor, post, comment, count, others, name
	Conversations string // $1 user, $2 before, $3 limit, $4 count at most → id, members, read, unread, last message
	Messages      string // $1 user, $2 conversation, $3 before, $4 limit → message
	Seen          string // $1 user, $2 conversation → user, got, read of the others
	MembersOf     string // $1 user, $2 conversation → user, of the others
	Hidden        string // $1 user, $2 kind, $3 after, $4 limit → other
	Acquainted    string // $1 user, $2 others → those that are

	// The jobs board.
	ScanBitmaps    string // lets this transaction's queries use bitmaps, as looks into jobs_words must
	JobsByWords    string // $1 viewer, $2 words, $3 filters' words, $4 at least, $5 at most, $6 closed ones too, $7 now, $8 below this rank, $9 and this id, $10 limit, $11 closing by then or null → rank, post
	JobsNewest     string // $1 viewer, $2 category, $3 location, $4 at least, $5 at most, $6 closed ones too, $7 now, $8 currency, $9 before, $10 limit, $11 closing by then or null → 0, post
	JobsOfCategory string // likewise
	JobsAtLocation string // likewise
	JobsOfBoth     string // likewise
	Searches       string // $1 user → id, name, query

	// Accounts.
	ByUser, ByHandle, ByEmail, ByPhone, BySubject string // $1 key → profile
	Profiles                                      string // $1 users → user, handle, name, avatar
	LoginByEmail, LoginByPhone                    string // $1 key → user, hash
	LastSeen                                      string // $1 users → user, at
	LockSearches                                  string // $1 user: until the transaction's end
	SaveSearch                                    string // $1 id, $2 user, $3 name, $4 query, $5 category, $6 location, $7 at least, $8 at most, $9 currency, $10 words, $11 how many there may be; fails beyond
	DropSearch                                    string // $1 user, $2 id
	SetPassword                                   string // $1 user, $2 hash
	SawUsers                                      string // $1 users, $2 at
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
INSERT INTO posts (id, author, kind, text, likes, comments, followers, more)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::boolean[], $8::text[])`,
	// Nobody else changes the rows: whoever does holds their shard's lock. So they are
	// still where they were found.
	ChangePosts: `
UPDATE posts p SET
    text = CASE WHEN c.deleted THEN '' WHEN c.edited THEN c.text ELSE p.text END,
    followers = CASE WHEN c.edited THEN c.followers ELSE p.followers END,
    more = CASE WHEN c.deleted THEN '' WHEN c.edited THEN c.more ELSE p.more END,
    likes = CASE WHEN c.likes < 0 THEN p.likes ELSE c.likes END,
    comments = p.comments + c.comments,
    deleted = c.deleted
FROM unnest($1::bigint[], $2::boolean[], $3::text[], $4::boolean[], $5::text[], $6::int[], $7::int[], $8::boolean[])
    c(id, edited, text, followers, more, likes, comments, deleted)
WHERE p.id = c.id AND p.ctid = ANY (ARRAY (
    SELECT r.ctid FROM unnest($1::bigint[]) i(id)
    CROSS JOIN LATERAL (SELECT ctid FROM posts WHERE id = i.id AND NOT deleted LIMIT 1) r))`,
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

	InsertComments: `
INSERT INTO comments (id, post, author, text)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])`,
	Unlike: `
DELETE FROM likes WHERE ctid = ANY (ARRAY (
    SELECT l.ctid
    FROM unnest($1::bigint[], $2::text[]) u(post, name)
    CROSS JOIN LATERAL (SELECT ctid FROM likes WHERE post = u.post AND user_id = u.name LIMIT 1) l))`,
	Like: `
INSERT INTO likes (post, user_id, id, note)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (post, user_id) DO NOTHING`,
	InsertNotes: `
INSERT INTO notes (user_id, id, kind, actor, post, comment)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
ON CONFLICT (user_id, id) DO NOTHING`,
	DeleteNotes: `
DELETE FROM notes WHERE ctid = ANY (ARRAY (
    SELECT n.ctid
    FROM unnest($1::text[], $2::bigint[]) u(name, id)
    CROSS JOIN LATERAL (SELECT ctid FROM notes WHERE user_id = u.name AND id = u.id LIMIT 1) n))`,
	DeletePostNotes: `
DELETE FROM notes WHERE ctid = ANY (ARRAY (
    SELECT n.ctid
    FROM unnest($1::bigint[]) u(post)
    CROSS JOIN LATERAL (SELECT ctid FROM notes WHERE post = u.post AND post > 0 OFFSET 0) n))`,
	Show: `
DELETE FROM hides WHERE ctid = ANY (ARRAY (
    SELECT h.ctid
    FROM unnest($1::text[], $2::text[], $3::smallint[]) u(name, other, kind)
    CROSS JOIN LATERAL (
        SELECT ctid FROM hides WHERE user_id = u.name AND other = u.other AND kind = u.kind LIMIT 1) h))`,
	Hide: `
INSERT INTO hides (user_id, other, kind)
SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[])
ON CONFLICT DO NOTHING`,
	OpenConversations: `
INSERT INTO conversations (id, key, last)
SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[])`,
	InsertMembers: `
INSERT INTO members (conversation, user_id)
SELECT * FROM unnest($1::bigint[], $2::text[])`,
	InsertMessages: `
INSERT INTO messages (id, conversation, author, text, reply, more)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[])`,
	TouchConversations: `
UPDATE conversations c SET last = greatest(c.last, t.last)
FROM unnest($1::bigint[], $2::bigint[]) t(id, last)
WHERE c.id = t.id AND c.ctid = ANY (ARRAY (
    SELECT r.ctid FROM unnest($1::bigint[]) i(id)
    CROSS JOIN LATERAL (SELECT ctid FROM conversations WHERE id = i.id LIMIT 1) r))`,
	MergeSeen: `
UPDATE members m SET got = greatest(m.got, s.got, s.read), read = greatest(m.read, s.read)
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) s(conversation, name, got, read)
WHERE m.conversation = s.conversation AND m.user_id = s.name AND m.ctid = ANY (ARRAY (
    SELECT r.ctid FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) i(conversation, name, got, read)
    CROSS JOIN LATERAL (
        SELECT ctid FROM members
        WHERE conversation = i.conversation AND user_id = i.name AND (got < i.got OR read < i.read) LIMIT 1) r))`,
	LockProfiles: `SELECT pg_advisory_xact_lock(hashtextextended('feedgate profiles', 0))`,
	PutProfiles: `
INSERT INTO profiles (user_id, handle, name, avatar, email, phone, subject)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT (user_id) DO UPDATE SET handle = excluded.handle, name = excluded.name, avatar = excluded.avatar,
    email = excluded.email, phone = excluded.phone, subject = excluded.subject`,
	DropJobs: `DELETE FROM jobs WHERE id = ANY ($1::bigint[])`,
	PutJobs: `
INSERT INTO jobs (id, author, category, location, salary_min, salary_max, currency, closes, words)
SELECT id, author, category, location, salary_min, salary_max, currency, closes,
    ` + jobWords("title", "places", "text") + ` || array_to_tsvector(string_to_array(filters, E'\n'))
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::timestamptz[],
    $9::text[], $10::text[], $11::text[], $12::text[])
    j(id, author, category, location, salary_min, salary_max, currency, closes, title, places, text, filters)
ON CONFLICT (id) DO UPDATE SET author = excluded.author, category = excluded.category, location = excluded.location,
    salary_min = excluded.salary_min, salary_max = excluded.salary_max, currency = excluded.currency,
    closes = excluded.closes, words = excluded.words`,

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
SELECT u.ord, coalesce(p.name, ''), f.authors, f.since, h.others, h.kinds
FROM unnest($1::text[]) WITH ORDINALITY u(name, ord)
CROSS JOIN LATERAL (
    SELECT array_agg(e.author) AS authors, array_agg(e.since) AS since
    FROM (SELECT author, since FROM follows WHERE follower = u.name ORDER BY author OFFSET 0) e) f
CROSS JOIN LATERAL (
    SELECT array_agg(e.other) AS others, array_agg(e.kind) AS kinds
    FROM (SELECT other, kind FROM hides WHERE user_id = u.name ORDER BY other, kind OFFSET 0) e) h
LEFT JOIN LATERAL (SELECT name FROM profiles WHERE user_id = u.name LIMIT 1) p ON true`,
	// found counts from each author's index range above the mark and the follow,
	// and stops at $3. Only when it stopped there it may lack the newest ones. Then
	// newest finds them as a page does: from the newest four of each author it
	// learns which authors have any of them, and an id below which none is.
	//
	// Who hides nobody is found out once; then no author is looked up in hides.
	Unread: `
SELECT u.ord, 0::bigint, coalesce(m.upto, 0), coalesce(found.total, 0),
    CASE WHEN found.total < $3 THEN found.ids ELSE newest.ids END,
    CASE WHEN found.total < $3 THEN found.authors ELSE newest.authors END,
    coalesce(seen.upto, 0), coalesce(note.total, 0), note.ids, coalesce(talk.top, 0)
FROM unnest($1::text[]) WITH ORDINALITY u(name, ord)
CROSS JOIN LATERAL (SELECT ` + hidesAny("u.name") + ` AS any OFFSET 0) h
LEFT JOIN LATERAL (SELECT upto FROM marks WHERE user_id = u.name AND list = 1 LIMIT 1) m ON true
LEFT JOIN LATERAL (SELECT upto FROM marks WHERE user_id = u.name AND list = 2 LIMIT 1) seen ON true
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
                AND (NOT h.any OR NOT ` + hidden("u.name", "f.author") + `)
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
                    AND (NOT h.any OR NOT ` + hidden("u.name", "f.author") + `)
                ORDER BY top.id DESC LIMIT $2) s
            GROUP BY s.author) a
        CROSS JOIN LATERAL (
            SELECT id FROM posts
            WHERE author = a.author AND NOT deleted AND id > a.above AND id >= a.floor
            ORDER BY id DESC LIMIT $2) p
        ORDER BY p.id DESC LIMIT $2) n) newest ON true
CROSS JOIN LATERAL (
    SELECT max(n.total) AS total, array_agg(n.id) AS ids
    FROM (
        SELECT e.id, count(*) OVER () AS total
        FROM (
            SELECT n.id FROM notes n
            WHERE n.user_id = u.name AND n.id > coalesce(seen.upto, 0)
                AND (NOT h.any OR ` + noteShown("u.name") + `)
            ORDER BY n.id DESC LIMIT $3) e
        ORDER BY e.id DESC LIMIT $2) n) note
CROSS JOIN LATERAL (SELECT max(read) AS top FROM members WHERE user_id = u.name) talk
UNION ALL
SELECT u.ord, c.conversation, c.read, n.total, n.ids, NULL, 0, 0, NULL, 0
FROM unnest($1::text[]) WITH ORDINALITY u(name, ord)
CROSS JOIN LATERAL (SELECT conversation, read FROM members WHERE user_id = u.name OFFSET 0) c
CROSS JOIN LATERAL (SELECT 1 FROM conversations WHERE id = c.conversation AND last > c.read LIMIT 1) fresh
CROSS JOIN LATERAL (` + unreadMessages("u.name", "c.conversation", "c.read", "$3", "$2") + `) n
WHERE n.total > 0`,
	Pages: `
SELECT u.ord, page.*
FROM unnest($1::text[], $2::int[]) WITH ORDINALITY u(name, posts, ord)
CROSS JOIN LATERAL (` + page("u.name", "9223372036854775807", "u.posts") + `) page
ORDER BY u.ord, page.id DESC`,
	// Who begins follows nobody, and most have no blocks: one look at the index then,
	// not one for each name. The same in Blocked.
	Followed: `
SELECT f.author, f.since
FROM unnest($2::text[]) a(author)
CROSS JOIN LATERAL (SELECT author, since FROM follows WHERE follower = $1 AND author = a.author LIMIT 1) f
WHERE EXISTS (SELECT 1 FROM follows WHERE follower = $1)
ORDER BY f.author`,
	Degree: `SELECT count(*) FROM follows WHERE follower = $1`,
	Post: `
SELECT id, author, kind, text, likes, comments, more FROM posts WHERE id = $1 AND NOT deleted`,

	Feed: page("$1", "$2", "$3"),
	Following: `
SELECT author FROM follows WHERE follower = $1 AND author > $2 AND NOT ` + blocked("$1", "author") + `
ORDER BY author LIMIT $3`,
	Followers: `
SELECT follower FROM follows WHERE author = $1 AND follower > $2 AND NOT ` + blocked("$1", "follower") + `
ORDER BY follower LIMIT $3`,

	PostFor: `
SELECT id, author, kind, text, likes, comments, more FROM posts p WHERE id = $2 AND ` + postShown("$1"),
	Name:  `SELECT name FROM profiles WHERE user_id = $1`,
	Liked: `SELECT note FROM likes WHERE post = $2 AND user_id = $1`,
	LikesNote: `
SELECT id FROM notes WHERE post = $1 AND kind = 'like' ORDER BY id DESC LIMIT 1`,
	LikesOf: `
SELECT (SELECT count(*) FROM likes WHERE note = o.note AND note > 0),
    ARRAY (SELECT user_id FROM likes WHERE note = o.note AND note > 0 AND user_id <> $1 ORDER BY id DESC LIMIT 3)
FROM (
    SELECT coalesce(
        (SELECT note FROM likes WHERE post = $2 AND user_id = $1),
        (SELECT id FROM notes WHERE post = $2 AND kind = 'like' ORDER BY id DESC LIMIT 1)) AS note
    OFFSET 0) o`,
	Told: `
SELECT DISTINCT n.user_id FROM notes n
WHERE n.post = $1 AND n.post > 0 AND n.user_id <> (SELECT author FROM posts WHERE id = $1)
ORDER BY n.user_id`,
	Conversation: `
SELECT m.conversation, m.got, m.read,
    ARRAY (SELECT user_id FROM members WHERE conversation = m.conversation ORDER BY user_id)
FROM members m WHERE m.conversation = $2 AND m.user_id = $1`,
	ByKey: `
SELECT m.conversation, m.got, m.read,
    ARRAY (SELECT user_id FROM members WHERE conversation = m.conversation ORDER BY user_id)
FROM (SELECT id FROM conversations WHERE key = $2 LIMIT 1) c
CROSS JOIN LATERAL (
    SELECT conversation, got, read FROM members WHERE conversation = c.id AND user_id = $1 LIMIT 1) m`,
	Replied: `
SELECT EXISTS (SELECT 1 FROM messages WHERE id = $1 AND conversation = $2 AND NOT ` + blocked("$3", "author") + `)`,
	Senders: `
SELECT DISTINCT m.author COLLATE "C" FROM (
    SELECT author FROM messages WHERE conversation = $2 AND id > $3 AND id <= $4 AND author <> $1 OFFSET 0) m
ORDER BY 1 LIMIT $5`,
	Blocked: `
SELECT DISTINCT h.other
FROM unnest($2::text[]) o(name)
CROSS JOIN LATERAL (
    SELECT other FROM hides WHERE user_id = $1 AND other = o.name AND kind < 3 LIMIT 1) h
WHERE EXISTS (SELECT 1 FROM hides WHERE user_id = $1 AND kind < 3)
ORDER BY h.other`,
	Hides: `SELECT EXISTS (SELECT 1 FROM hides WHERE user_id = $1 AND other = $2 AND kind = $3)`,
	Taken: `
SELECT
    EXISTS (SELECT 1 FROM profiles WHERE lower(handle) = lower($2) AND handle <> '' AND user_id <> $1),
    EXISTS (SELECT 1 FROM profiles WHERE lower(email) = lower($3) AND email <> '' AND user_id <> $1),
    EXISTS (SELECT 1 FROM profiles WHERE phone = $4 AND phone <> '' AND user_id <> $1),
    EXISTS (SELECT 1 FROM profiles WHERE subject = $5 AND subject <> '' AND user_id <> $1)`,
	// A search for any category, or any location, stands under ''.
	Alerts: `
SELECT s.user_id
FROM (SELECT ` + jobWords("$7", "$8", "$9") + ` AS words OFFSET 0) j
CROSS JOIN LATERAL (
    SELECT s.user_id, max(s.id) AS id FROM searches s
    WHERE s.category IN ('', $2) AND s.location IN ('', $3)
        AND s.salary_min <= $5 AND (s.salary_max = 0 OR s.salary_max >= $4) AND s.currency IN ('', $6)
        AND (s.words IS NULL OR j.words @@ s.words)
        AND s.user_id <> $1 AND NOT ` + hidden("s.user_id", "$1") + `
    GROUP BY s.user_id
    ORDER BY max(s.id) DESC LIMIT $10) s
ORDER BY s.user_id`,

	Comments: `
SELECT id, post, author, text FROM comments
WHERE post = $2 AND id < $3 AND NOT ` + blocked("$1", "author") + `
ORDER BY id DESC LIMIT $4`,
	Notes: `
SELECT n.id, n.kind, n.actor, n.post, n.comment, n.count, n.others, coalesce(p.name, '')
FROM (
    SELECT n.id, n.kind, coalesce(l.others[1], n.actor) AS actor, n.post, n.comment,
        coalesce(l.count, 1) AS count, l.others
    FROM (
        SELECT * FROM notes n
        WHERE n.user_id = $1 AND n.id < $2 AND (NOT ` + hidesAny("$1") + ` OR ` + noteShown("$1") + `)
        ORDER BY n.id DESC LIMIT $3) n
    LEFT JOIN LATERAL (
        SELECT count(*) AS count, (array_agg(k.user_id ORDER BY k.id DESC))[1:3] AS others
        FROM (
            SELECT user_id, id FROM likes
            WHERE n.kind = 'like' AND note = n.id AND note > 0 AND NOT ` + hidden("$1", "likes.user_id") + `
            OFFSET 0) k
        HAVING count(*) > 0) l ON true
    OFFSET 0) n
LEFT JOIN LATERAL (SELECT name FROM profiles WHERE user_id = n.actor LIMIT 1) p ON true
ORDER BY n.id DESC`,
	// A conversation's newest message is in its row, unless somebody is hidden.
	Conversations: `
SELECT c.conversation, c.members, c.read, coalesce(n.total, 0),
    m.id, m.conversation, m.author, m.text, m.reply, m.more
FROM (
    SELECT c.conversation, c.read, l.id,
        ARRAY (SELECT user_id FROM members WHERE conversation = c.conversation ORDER BY user_id) AS members
    FROM (SELECT conversation, read FROM members WHERE user_id = $1 OFFSET 0) c
    CROSS JOIN LATERAL (
        SELECT CASE WHEN NOT ` + hidesAny("$1") + ` THEN t.last ELSE (
            SELECT id FROM messages
            WHERE conversation = c.conversation AND NOT ` + blocked("$1", "author") + `
            ORDER BY id DESC LIMIT 1) END AS id
        FROM conversations t WHERE t.id = c.conversation LIMIT 1) l
    WHERE l.id < $2
    ORDER BY l.id DESC LIMIT $3) c
CROSS JOIN LATERAL (` + unreadMessages("$1", "c.conversation", "c.read", "$4", "1") + `) n
CROSS JOIN LATERAL (
    SELECT id, conversation, author, text, reply, more FROM messages WHERE id = c.id LIMIT 1) m
ORDER BY m.id DESC`,
	Messages: `
SELECT id, conversation, author, text, reply, more FROM messages
WHERE conversation = $2 AND id < $3 AND NOT ` + blocked("$1", "author") + `
ORDER BY id DESC LIMIT $4`,
	Seen: `
SELECT user_id, got, read FROM members
WHERE conversation = $2 AND user_id <> $1 AND NOT ` + blocked("$1", "members.user_id") + `
ORDER BY user_id`,
	MembersOf: `
SELECT user_id FROM members
WHERE conversation = $2 AND user_id <> $1 AND NOT ` + blocked("$1", "members.user_id") + `
ORDER BY user_id`,
	Hidden: `
SELECT other FROM hides WHERE user_id = $1 AND kind = $2 AND other > $3 ORDER BY other LIMIT $4`,
	Acquainted: `
SELECT DISTINCT o.name COLLATE "C"
FROM unnest($2::text[]) o(name)
WHERE NOT ` + blocked("$1", "o.name") + ` AND (
    EXISTS (SELECT 1 FROM follows WHERE follower = $1 AND author = o.name OFFSET 0)
    OR EXISTS (
        SELECT 1
        FROM (SELECT conversation FROM members WHERE user_id = $1 OFFSET 0) m
        CROSS JOIN LATERAL (
            SELECT 1 FROM members WHERE conversation = m.conversation AND user_id = o.name LIMIT 1) t
        WHERE o.name <> $1
        OFFSET 0))
ORDER BY 1`,

	ScanBitmaps: `SELECT set_config('enable_bitmapscan', 'on', true)`,
	JobsByWords: `
SELECT best.rank, p.*
FROM (
    SELECT j.id, j.rank
    FROM (
        SELECT id, ts_rank_cd(words, plainto_tsquery('english', $2)) AS rank
        FROM jobs
        WHERE words @@ (plainto_tsquery('english', $2) && $3::tsquery)
            AND ` + jobOpen + ` AND NOT ` + hiddenFromOne("$1", "author") + `
        OFFSET 0) j
    WHERE (j.rank, j.id) < ($8::real, $9::bigint)
    ORDER BY j.rank DESC, j.id DESC LIMIT $10) best
CROSS JOIN LATERAL (
    SELECT id, author, kind, text, likes, comments, more FROM posts WHERE id = best.id LIMIT 1) p
ORDER BY best.rank DESC, p.id DESC`,
	JobsNewest:     newestJobs(`$2::text IS NOT NULL AND $3::text IS NOT NULL`),
	JobsOfCategory: newestJobs(`category = $2 AND $3::text IS NOT NULL`),
	JobsAtLocation: newestJobs(`location = $3 AND $2::text IS NOT NULL`),
	JobsOfBoth:     newestJobs(`category = $2 AND location = $3`),
	Searches:       `SELECT id, name, query FROM searches WHERE user_id = $1 ORDER BY id`,

	ByUser:       profile(`user_id = $1`),
	ByHandle:     profile(`lower(handle) = lower($1) AND handle <> ''`),
	ByEmail:      profile(`lower(email) = lower($1) AND email <> ''`),
	ByPhone:      profile(`phone = $1 AND phone <> ''`),
	BySubject:    profile(`subject = $1 AND subject <> ''`),
	LoginByEmail: `SELECT user_id, password FROM profiles WHERE lower(email) = lower($1) AND email <> ''`,
	LoginByPhone: `SELECT user_id, password FROM profiles WHERE phone = $1 AND phone <> ''`,
	Profiles: `
SELECT p.user_id, p.handle, p.name, p.avatar
FROM (SELECT DISTINCT name FROM unnest($1::text[]) u(name)) u
CROSS JOIN LATERAL (SELECT user_id, handle, name, avatar FROM profiles WHERE user_id = u.name LIMIT 1) p
ORDER BY p.user_id`,
	LastSeen: `
SELECT s.user_id, s.at
FROM (SELECT DISTINCT name FROM unnest($1::text[]) u(name)) u
CROSS JOIN LATERAL (SELECT user_id, at FROM seen WHERE user_id = u.name LIMIT 1) s
ORDER BY s.user_id`,
	LockSearches: `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`,
	SaveSearch: `
WITH saved AS (
    INSERT INTO searches (id, user_id, name, query, category, location, salary_min, salary_max, currency, words)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN numnode(w.words) > 0 THEN w.words END
    FROM (SELECT plainto_tsquery('english', $10) AS words) w
    WHERE (SELECT count(*) FROM searches WHERE user_id = $2) < $11
    RETURNING 1)
SELECT feedgate_require((SELECT count(*) FROM saved) = 1, 'FG004', 'no more searches may be saved')`,
	DropSearch:  `DELETE FROM searches WHERE id = $2 AND user_id = $1`,
	SetPassword: `UPDATE profiles SET password = $2 WHERE user_id = $1`,
	SawUsers: `
INSERT INTO seen (user_id, at)
SELECT * FROM unnest($1::text[], $2::timestamptz[])
ON CONFLICT (user_id) DO UPDATE SET at = excluded.at
WHERE seen.at < excluded.at`,
}

// hidesAny is whether anybody is hidden from the user.
func hidesAny(user string) string {
	return `EXISTS (SELECT 1 FROM hides WHERE user_id = ` + user + ` OFFSET 0)`
}

// hidden is whether the other is hidden from the user, by whatever; blocked by a
// block from either side. OFFSET keeps the planner from reading hides as a whole.
// other must not be a bare user_id: that would be hides' own.
func hidden(user, other string) string {
	return `EXISTS (SELECT 1 FROM hides WHERE user_id = ` + user + ` AND other = ` + other + ` OFFSET 0)`
}

func blocked(user, other string) string {
	return `EXISTS (SELECT 1 FROM hides WHERE user_id = ` + user + ` AND other = ` + other + ` AND kind < 3 OFFSET 0)`
}

// hiddenFromOne is hidden for one user and very many others.
func hiddenFromOne(user, other string) string {
	return `(` + other + ` IN (SELECT other FROM hides WHERE user_id = ` + user + `))`
}

// noteShown is whether the notification n is not hidden from its user: one of
// likes is shown as long as one of them is.
func noteShown(user string) string {
	return `CASE WHEN n.kind = 'like' THEN EXISTS (
    SELECT 1 FROM likes l WHERE l.note = n.id AND l.note > 0 AND NOT ` + hidden(user, "l.user_id") + ` OFFSET 0)
    ELSE NOT ` + hidden(user, "n.actor") + ` END`
}

// postShown is whether the viewer may see the post p; ” may see all.
func postShown(viewer string) string {
	return strings.ReplaceAll(`NOT p.deleted AND (VIEWER = '' OR p.author = VIEWER
    OR NOT `+blocked("VIEWER", "p.author")+`
        AND (NOT p.followers OR EXISTS (SELECT 1 FROM follows WHERE follower = VIEWER AND author = p.author OFFSET 0)))`,
		"VIEWER", viewer)
}

// unreadMessages counts the messages by others that the user has not read, up to
// most, and answers the newest ids.
func unreadMessages(user, conversation, read, most, keep string) string {
	return strings.NewReplacer("USER", user, "CONVERSATION", conversation, "READ", read, "MOST", most, "KEEP", keep).Replace(`
    SELECT max(n.total) AS total, array_agg(n.id) AS ids
    FROM (
        SELECT e.id, count(*) OVER () AS total
        FROM (
            SELECT id FROM messages
            WHERE conversation = CONVERSATION AND id > READ AND author <> USER AND NOT ` + blocked("USER", "author") + `
            ORDER BY id DESC LIMIT MOST) e
        ORDER BY e.id DESC LIMIT KEEP) n`)
}

// jobWords is the text of a job for searching, given the expressions of words as
// words makes them.
func jobWords(title, places, text string) string {
	return `setweight(to_tsvector('english', ` + title + `), 'A') || setweight(to_tsvector('english', ` + places + `), 'B')
        || setweight(to_tsvector('english', ` + text + `), 'D')`
}

// jobOpen selects jobs by what they pay, $4 and $5, unless $6 those that close
// after $7, and when $11 is not null those that close by then.
const jobOpen = `($4::bigint = 0 OR salary_max >= $4) AND ($5::bigint = 0 OR salary_min <= $5)
            AND ($6::boolean OR closes IS NULL OR closes > $7::timestamptz)
            AND ($11::timestamptz IS NULL OR closes <= $11)`

// newestJobs finds jobs by what the index that serves them begins with.
func newestJobs(begin string) string {
	return `
SELECT 0::real, p.*
FROM (
    SELECT id FROM jobs
    WHERE ` + begin + ` AND id < $9
            AND ` + jobOpen + `
            AND ($8 = '' OR currency = $8) AND NOT ` + hiddenFromOne("$1", "author") + `
    ORDER BY id DESC LIMIT $10) best
CROSS JOIN LATERAL (
    SELECT id, author, kind, text, likes, comments, more FROM posts WHERE id = best.id LIMIT 1) p
ORDER BY p.id DESC`
}

// profile finds a profile.
func profile(where string) string {
	return `SELECT user_id, handle, name, avatar, email, phone, subject FROM profiles WHERE ` + where
}

// appendQueries are the statements of an append, in the order in which they run.
var appendQueries = []string{
	q.Fence, q.Unbroken, q.InsertLog, q.InsertKeys, q.InsertPosts, q.ChangePosts, q.InsertComments, q.Unfollow, q.Follow,
	q.Unlike, q.Like, q.InsertNotes, q.DeleteNotes, q.DeletePostNotes, q.Show, q.Hide,
	q.OpenConversations, q.InsertMembers, q.InsertMessages, q.TouchConversations, q.MergeSeen,
	q.LockProfiles, q.PutProfiles, q.DropJobs, q.PutJobs, q.MergeMarks,
}

// page is the text that finds a user's feed page, given the expressions of the
// user, the id that the posts are below, and how many: nothing by those hidden.
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
                SELECT author FROM follows
                WHERE follower = USER AND author <> USER
                    AND (NOT ` + hidesAny("USER") + ` OR NOT ` + hidden("USER", "author") + `)) a
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
    SELECT id, author, kind, text, likes, comments, more FROM posts WHERE id = best.id LIMIT 1) p
ORDER BY p.id DESC`)
}
