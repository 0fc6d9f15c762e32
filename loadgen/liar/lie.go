package liar

import "github.com/feedgate/feedgate/loadgen/ledger"

// Lie is what a server does wrong, once.
type Lie string

// The lies.
const (
	None            Lie = "none"
	DropPost        Lie = "drop a post"             // the numbers close up: only the ledger can tell
	DropFrame       Lie = "drop a frame"            // its number is missing, and sync does not bring it
	NeverPublished  Lie = "forget a post"           // publish says ok, and nobody gets it
	DoublePost      Lie = "double a post"           // as two events
	DoubleFrame     Lie = "double a frame"          // the same number twice
	SwapPosts       Lie = "swap two posts"          // of one author; the numbers ascend
	SwapFrames      Lie = "swap two frames"         // with their numbers
	Stray           Lie = "deliver to a stranger"   // who does not follow the author
	AlterText       Lie = "alter a text"            // for one recipient
	AlterID         Lie = "alter an id"             // for all recipients: not that of publish's ok
	CountPushed     Lie = "push a count off by one" // and leave it so
	CountAnswered   Lie = "answer a count off by one"
	CountAfterRead  Lie = "count off by one after a read"
	MarkForgotten   Lie = "forget a read mark"
	MarkBeyond      Lie = "move a read mark too far"
	ResumeSkips     Lie = "skip an event on resume" // the numbers close up
	ResumeWrong     Lie = "resume somewhere else"   // the answer does not fit where the client was
	ResumeRepeats   Lie = "repeat an event on resume"
	ResetHides      Lie = "reset, and hide a post from the page"
	UnfollowIgnored Lie = "go on after an unfollow"
	FollowLate      Lie = "begin late after a follow" // the first post above the follow's id does not come
	DropMessage     Lie = "drop a message"            // for one member; the numbers close up
	DoubleMessage   Lie = "double a message"          // as two events
	SwapMessages    Lie = "swap two messages"         // of one conversation, for one member
	StrayMessage    Lie = "deliver a message to a stranger"
	CountMessages   Lie = "push a count of messages off by one"
	CountTalk       Lie = "answer a conversation's count off by one"
	TalkForgotten   Lie = "forget a conversation's read mark"
)

// Kinds are the faults that a lie may show as; the load generator has to find at
// least one of them. Lies are in the order in which the self-test tells them.
func Kinds() []struct {
	Lie   Lie
	Kinds []ledger.Kind
} {
	type row = struct {
		Lie   Lie
		Kinds []ledger.Kind
	}
	return []row{
		{None, nil},
		{DropPost, []ledger.Kind{ledger.Missing}},
		{DropFrame, []ledger.Kind{ledger.Unrepaired}},
		{NeverPublished, []ledger.Kind{ledger.Missing}},
		{DoublePost, []ledger.Kind{ledger.Doubled}},
		{DoubleFrame, []ledger.Kind{ledger.Doubled}},
		{SwapPosts, []ledger.Kind{ledger.Swapped}},
		{SwapFrames, []ledger.Kind{ledger.Swapped}},
		{Stray, []ledger.Kind{ledger.Unexpected}},
		{AlterText, []ledger.Kind{ledger.Corrupted}},
		{AlterID, []ledger.Kind{ledger.Corrupted}},
		{CountPushed, []ledger.Kind{ledger.Miscounted}},
		{CountAnswered, []ledger.Kind{ledger.Miscounted}},
		{CountAfterRead, []ledger.Kind{ledger.Miscounted}},
		{MarkForgotten, []ledger.Kind{ledger.WrongMark}},
		{MarkBeyond, []ledger.Kind{ledger.WrongMark}},
		{ResumeSkips, []ledger.Kind{ledger.Missing}},
		{ResumeWrong, []ledger.Kind{ledger.WrongResume}},
		{ResumeRepeats, []ledger.Kind{ledger.Doubled}},
		{ResetHides, []ledger.Kind{ledger.Missing}},
		{UnfollowIgnored, []ledger.Kind{ledger.Unexpected}},
		{FollowLate, []ledger.Kind{ledger.Missing}},
		{DropMessage, []ledger.Kind{ledger.Missing}},
		{DoubleMessage, []ledger.Kind{ledger.Doubled}},
		{SwapMessages, []ledger.Kind{ledger.Swapped}},
		{StrayMessage, []ledger.Kind{ledger.Unexpected}},
		{CountMessages, []ledger.Kind{ledger.Miscounted}},
		{CountTalk, []ledger.Kind{ledger.Miscounted}},
		{TalkForgotten, []ledger.Kind{ledger.WrongMark, ledger.Miscounted}},
	}
}
