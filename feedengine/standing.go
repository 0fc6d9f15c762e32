package feedengine

import (
	"slices"
	"strings"
)

// What a shard asks storage before it decides a command: one snapshot each.

// Ties is how a user stands to others.
type Ties struct {
	Follows   []Edge   // those of the others that the user follows, in order of author
	Following int      // how many the user follows in all
	Blocked   []string // those of the others with a block either way, ascending
}

// Standing is how a user stands to a post.
type Standing struct {
	Post *Post  // nil when there is none, it is deleted, or the user may not see it
	Name string // the user's display name
	// Liked: the user likes the post; LikedAs is the notification of which that like
	// is a part, 0 for the author's own.
	Liked   bool
	LikedAs ID
	// Newest is the newest notification of likes of the post that still stands, 0:
	// none. Count is how many likes the notification LikedAs, or Newest when the user
	// does not like the post, stands for; Others are their newest actors but for the
	// user, at most three, newest first.
	Newest ID
	Count  int
	Others []string
	// Told are the users, but for the post's author, who have a notification of the
	// post or of a comment on it. Only set when it was asked for.
	Told []string
}

// TalkAsk asks how a user stands to a conversation: to ID, or when that is 0 to the
// one of Members, of whom the user is one.
type TalkAsk struct {
	User    string
	ID      ID
	Members []string // as ConversationMembers made them
	Reply   ID       // a message that is to be answered, 0: none
	Upto    ID       // whose messages up to here are new to the user, 0: not asked
}

// Talk is how a user stands to a conversation. A user who is not a member learns
// the same as of a conversation that is not there.
type Talk struct {
	ID      ID       // 0: there is none, or the user is not a member
	Members []string // ascending
	Name    string   // the user's display name
	// Blocked are those of the members, or of TalkAsk.Members, who block the user or
	// are blocked by the user.
	Blocked []string
	Replied bool // TalkAsk.Reply is a message of this conversation that no block hides from the user
	Read    ID   // the user's read mark
	Got     ID   // up to where the user's devices have got the messages, at least Read
	// Unread are the senders, but for the user, of messages above Read and up to
	// TalkAsk.Upto; Ungot of those above Got. At most 256.
	Unread, Ungot []string
}

// MaxMembers is the size of the greatest conversation.
const MaxMembers = 256

// ConversationMembers is the sorted list of a conversation's members: the user and
// those to whom the user writes, each once.
func ConversationMembers(user string, to []string) []string {
	all := append(slices.Clone(to), user)
	slices.Sort(all)
	return slices.Compact(all)
}

// ConversationKey names the conversation of the members: there is one for each set
// of people. It decides the conversation's shard.
func ConversationKey(members []string) string { return strings.Join(members, " ") }

// HomeOf is the shard that carries out an action of a user.
func HomeOf(user string, do Action, shardOf func(string) ShardID) ShardID {
	switch do := do.(type) {
	case Delete:
		return do.Post.Shard()
	case Edit:
		return do.Post.Shard()
	case LikePost:
		return do.Post.Shard()
	case AddComment:
		return do.Post.Shard()
	case Send:
		if do.Conversation != 0 {
			return do.Conversation.Shard()
		}
		return shardOf(ConversationKey(ConversationMembers(user, do.To)))
	}
	return shardOf(user)
}
