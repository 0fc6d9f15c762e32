package sqlite

import (
	"strings"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
)

// valid refuses what could not be read back as it was written, or says of the
// tables what cannot be.
func valid(e *feedengine.Event) error {
	if !e.Kind.Stored() {
		return refused("events of kind %d are not stored", e.Kind)
	}
	if err := complete(e); err != nil {
		return err
	}
	if !clean(e.Actor, e.Name) || !clean(e.Users...) || !cleanPost(e.Post) || !cleanFact(e.Fact) {
		return refused("text that is not UTF-8 without U+0000")
	}
	return nil
}

// complete refuses an event without what its kind needs.
func complete(e *feedengine.Event) error {
	fits := true
	p := e.Post
	switch e.Kind {
	case feedengine.KindPost:
		if p == nil || p.ID != e.ID || p.Author != e.Actor || e.Fact != nil || e.Target != 0 {
			return refused("a post that is not its event's")
		}
	case feedengine.KindPostEdited:
		if p == nil || p.ID >= e.ID || p.Author != e.Actor {
			return refused("an edit of a post that is not its actor's, or is not older")
		}
	case feedengine.KindLike, feedengine.KindUnlike:
		fits = is[*feedengine.Like](e)
	case feedengine.KindComment:
		fits = is[*feedengine.Comment](e)
	case feedengine.KindMessage:
		fits = is[*feedengine.Message](e)
	case feedengine.KindSeen:
		fits = is[*feedengine.Seen](e)
	case feedengine.KindProfile:
		fits = is[*feedengine.Profile](e)
	case feedengine.KindFollow, feedengine.KindUnfollow:
		fits = e.Fact == nil || is[*feedengine.Following](e)
		if f := followingOf(e); fits && len(f.Since) > 0 && len(f.Since) != len(e.Users) {
			return refused("%d follows that end for %d users", len(f.Since), len(e.Users))
		}
	case feedengine.KindBlock, feedengine.KindUnblock, feedengine.KindMute, feedengine.KindUnmute:
		if len(e.Users) != 1 || e.Users[0] == e.Actor {
			return refused("a hide of %d users", len(e.Users))
		}
		fits = e.Fact == nil
	case feedengine.KindPostDeleted:
		fits = e.Fact == nil
	}
	if !fits {
		return refused("an event of kind %d without its fact", e.Kind)
	}
	if p != nil && (e.Kind != feedengine.KindPost && e.Kind != feedengine.KindPostEdited) {
		return refused("an event of kind %d with a post", e.Kind)
	}
	return nil
}

// is reports whether the event carries a fact of that type.
func is[F interface {
	feedengine.Fact
	comparable
}](e *feedengine.Event) bool {
	var none F
	f, ok := e.Fact.(F)
	return ok && f != none
}

func cleanPost(p *feedengine.Post) bool {
	if p == nil {
		return true
	}
	if !clean(p.Kind, p.Text) {
		return false
	}
	m := p.More
	if m == nil {
		return true
	}
	if j := m.Job; j != nil && (!clean(j.Title, j.Category, j.Location, j.Currency) || j.Closes.Year() < 0 || j.Closes.Year() > 9999) {
		return false
	}
	return cleanMedia(m.Media) && clean(m.Alerts...)
}

func cleanMedia(media []feedengine.Media) bool {
	for _, m := range media {
		if !clean(m.URL, m.Type) {
			return false
		}
	}
	return true
}

func cleanFact(f feedengine.Fact) bool {
	switch f := f.(type) {
	case *feedengine.Like:
		return clean(f.Owner) && clean(f.Others...)
	case *feedengine.Comment:
		return clean(f.Owner, f.Author, f.Text)
	case *feedengine.Message:
		return clean(f.From, f.Text) && cleanMedia(f.Media)
	case *feedengine.Profile:
		return cleanProfile(f)
	}
	return true
}

func cleanProfile(p *feedengine.Profile) bool {
	return clean(p.User, p.Handle, p.Name, p.Avatar, p.Email, p.Phone, p.Subject)
}

// clean reports whether all of the texts are what Postgres would take too.
func clean(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return false
		}
	}
	return true
}
