package shard

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
)

// maxMentions is how many users one text mentions; those beyond are not told.
const maxMentions = 20

// mentions are the users whom a text mentions as @user, but for its own author,
// each once, in the order of the text. The @ does not follow a letter, a digit or
// another @, as it would in an e-mail address; what ends a sentence or leads on is
// no part of the name.
func mentions(author, text string) (users []string) {
	for at := 0; len(users) < maxMentions; {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			break
		}
		from := at + i + 1
		at = from
		for at < len(text) && feedengine.ValidUser(text[at:at+1]) {
			at++
		}
		name := strings.TrimRight(text[from:at], ".:-_")
		if beginsName(text[:from-1]) && feedengine.ValidUser(name) && name != author && !slices.Contains(users, name) {
			users = append(users, name)
		}
	}
	return users
}

// beginsName reports whether an @ after this text begins a name.
func beginsName(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	return last != '@' && !unicode.IsLetter(last) && !unicode.IsDigit(last)
}
