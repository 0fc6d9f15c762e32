package storage

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Full is the whole contract. storage/postgres and storage/sqlite implement
// it, storage/storagetest holds them to it. Its users declare the few methods
// of it that they need.
type Full interface {
	Store
	Social
	Accounts
}

// Store is the part that shards and feeds stand on.
//
// Every error wraps one of feedengine's store errors (ErrFenced,
// ErrUnknownOutcome, ErrUnavailable, ErrRefused, ErrNotFound) or the context's:
// the context's when it ended before anything was sent that could be committed.
// All methods may be called from many goroutines, Append from one at a time.
type Store interface {
	Log
	Views
	Reads
	Decisions
	// Ping reports whether the store can be reached and written to now.
	Ping(ctx context.Context) error
	Close() error
}

// Log is what a log writer needs.
type Log interface {
	// Shards is the number of shards that the database was set up with.
	Shards() int

	// Claim raises, in one transaction and in shard order, the epoch of those
	// shards whose epoch is still the expected one, and makes node their owner.
	// It answers in the order of expect, in which a shard stands once: Won says
	// whether the shard was raised, and Head is its log's under the epoch that it
	// has now, its own or the winner's. An Append under an older epoch is refused
	// from then on; one that was committing has been waited for, so the head of a
	// shard that was won is final. So is what a lost one's log has of older epochs.
	//
	// ErrUnknownOutcome: the epochs may have been raised, and may still be: look
	// at Owners, and claim again, expecting what stands there. ErrRefused: there is
	// no such shard, or one is named twice; none was raised.
	Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error)

	// Owners says who claimed each shard last, in order of shard.
	Owners(ctx context.Context) ([]feedengine.Owner, error)

	// Heads says where all logs stand, in order of shard: one statement, and one
	// snapshot.
	Heads(ctx context.Context) ([]feedengine.Head, error)

	// Append commits the writes, all or nothing, in one round trip, if every
	// fence still holds. Events carry their Seq, Epoch and ID; the store writes
	// the log rows, the keys, and the rows that the events mean for posts and
	// follows. Marks merge by maximum. At nil the commit is on disk.
	//
	// ErrFenced also when the events do not follow the last one of their log: a
	// database that came back without its last commits is not written on to with a gap.
	//
	// Without writes it only says whether the fences hold.
	//
	// Following again changes nothing; of several changes of an edge in one commit
	// the last counts. A key that was used in the last 24 hours is ErrRefused.
	// Fences without writes ask whether the claims still hold.
	Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error

	// Keys looks up idempotency keys. The answer has an element for each asked,
	// nil where the key has not been used in the last 24 hours.
	Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error)

	// ReadLog returns at most limit events of the shard's log with a Seq above
	// after, in order. Fewer than there should be means that they were trimmed.
	ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error)

	// ReadLogs is ReadLog of many logs in one snapshot: log by log in the order of
	// after, at most limit events of each.
	ReadLogs(ctx context.Context, after []feedengine.Position, limit int) ([]*feedengine.Event, error)

	// Trim deletes one bounded piece of log rows and keys older than before and
	// returns how many rows; 0 means that none are left. A shard's last log row
	// stays, and so do keys of the last 24 hours, whatever before says.
	Trim(ctx context.Context, before time.Time) (int, error)
}

// Views is what a loader needs.
type Views interface {
	// Load reads what the users' views are built from, in one read-only
	// snapshot with the heads of all logs. keep is how many unread ids to
	// return of each counter. It costs at most four statements whatever the
	// number of users, of whom there should be at most 1,000.
	Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error)

	// Followed returns those of the authors that the user follows, in order of
	// author, and how many the user follows in all.
	Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error)

	// Post returns a post that has not been deleted, or ErrNotFound.
	Post(ctx context.Context, id feedengine.ID) (*feedengine.Post, error)
}

// Reads is what a view cannot answer.
type Reads interface {
	// Feed returns the posts of the user and of those the user follows with an
	// id below before (0: the newest), newest first, at most limit.
	Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error)

	// Following and Followers list users in ascending order, those after the
	// user named by after ("" : from the start), at most limit, but for those whom a
	// block hides.
	Following(ctx context.Context, user, after string, limit int) ([]string, error)
	Followers(ctx context.Context, user, after string, limit int) ([]string, error)
}

// Members is the table of nodes. storage/postgres has it, of its own connection,
// so that a beat waits for nothing that the node does otherwise; a database of
// one process needs none.
type Members interface {
	// Beat says that the node is alive and what it is, and tells who else is, and
	// who owns what. The store counts the beats; m.Beat is not read.
	//
	// ErrFenced: another process beats by this name, and it was started later (or,
	// should the clocks say the same, has the greater incarnation). One that has
	// not beaten for 10 s stands in nobody's way. Rows that nobody has renewed for
	// an hour are deleted on the way. After any other error the beat may count or not.
	Beat(ctx context.Context, m feedengine.Member) (feedengine.Roll, error)

	// Leave takes the node's row away, if it is still this incarnation's.
	Leave(ctx context.Context, node string, incarnation uint64) error
}

// Decisions is what a shard asks before it decides a command, each in one snapshot.
type Decisions interface {
	// Standing tells how the user stands to a post; with told also whom a deletion
	// has to tell. It is never ErrNotFound: Post is nil then.
	Standing(ctx context.Context, user string, post feedengine.ID, told bool) (feedengine.Standing, error)

	// Talk tells how the user stands to a conversation.
	Talk(ctx context.Context, ask feedengine.TalkAsk) (feedengine.Talk, error)

	// Ties tells how the user stands to the others: what a follow is decided by.
	Ties(ctx context.Context, user string, others []string) (feedengine.Ties, error)

	// Blocked returns those of the others who block the user or whom the user blocks.
	Blocked(ctx context.Context, user string, others []string) ([]string, error)

	// Hides reports whether such a hide stands.
	Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (bool, error)

	// Name is the user's display name, "" when there is none.
	Name(ctx context.Context, user string) (string, error)

	// Taken names the field of the profile that is another user's already: handle,
	// email, phone or subject; "": none.
	Taken(ctx context.Context, p feedengine.Profile) (field string, err error)

	// Alerts returns the users, but for the job's author and those to whom it is
	// hidden, of whose saved searches one matches the job: at most MaxAlerts.
	Alerts(ctx context.Context, job *feedengine.Post) ([]string, error)
}

// Social is what apps read beside the feed. viewer is who asks: what a viewer may
// not see is not there, in pages as in ErrNotFound. before is as in Reads.Feed.
type Social interface {
	// PostFor is Views.Post for a viewer; "" is a service, which sees all.
	PostFor(ctx context.Context, viewer string, id feedengine.ID) (*feedengine.Post, error)
	Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error)
	Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error)
	Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error)
	Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error)
	// Hidden lists whom the user blocks, or mutes, in ascending order as Following does.
	Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) ([]string, error)
	// Acquainted returns those of the others whom the user follows or shares a
	// conversation with, and who are not hidden by a block.
	Acquainted(ctx context.Context, user string, others []string) ([]string, error)
	// Members are those of a conversation, of whom the user is one, but for the user
	// and those whom a block hides from them; ErrNotFound otherwise.
	Members(ctx context.Context, user string, conversation feedengine.ID) ([]string, error)

	Jobs(ctx context.Context, viewer string, query feedengine.JobQuery) (*feedengine.JobPage, error)
	Searches(ctx context.Context, user string) ([]feedengine.Search, error)

	// Profile is the whole profile that the key names, or ErrNotFound.
	Profile(ctx context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error)
	// Profiles are the public parts of those of the users who have one, in order of User.
	Profiles(ctx context.Context, users []string) ([]feedengine.Profile, error)
	// Login finds what a login by e-mail or phone is checked against, or ErrNotFound.
	Login(ctx context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error)
	LastSeen(ctx context.Context, users []string) ([]feedengine.LastSeen, error)
}

// Accounts is what is written beside the logs, as no view is made of it: the last
// writer wins, and nil means that it is on disk.
type Accounts interface {
	// SaveSearch saves a new search under a new ID; ErrRefused beyond MaxSearches.
	SaveSearch(ctx context.Context, user string, s feedengine.Search) error
	// DropSearch deletes one of the user's own; ErrNotFound otherwise.
	DropSearch(ctx context.Context, user string, id feedengine.ID) error
	// SetPassword sets the hash of a user who has a profile; ErrNotFound otherwise.
	SetPassword(ctx context.Context, user, hash string) error
	// SawUsers notes when users were last connected; it never goes back.
	SawUsers(ctx context.Context, seen []feedengine.LastSeen) error
}
