package storefake

import (
	"cmp"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

func (f *facts) applyHide(e *feedengine.Event) {
	for _, other := range e.Users {
		switch e.Kind {
		case feedengine.KindBlock, feedengine.KindUnblock:
			f.setHide(e.Actor, feedengine.Hide{Other: other, Kind: feedengine.HideBlock}, e.Kind == feedengine.KindBlock)
			f.setHide(other, feedengine.Hide{Other: e.Actor, Kind: feedengine.HideBlockedBy}, e.Kind == feedengine.KindBlock)
		default:
			f.setHide(e.Actor, feedengine.Hide{Other: other, Kind: feedengine.HideMute}, e.Kind == feedengine.KindMute)
		}
	}
}

func (f *facts) setHide(user string, h feedengine.Hide, on bool) {
	if f.hides[user] == nil {
		f.hides[user] = map[feedengine.Hide]bool{}
	}
	if on {
		f.hides[user][h] = true
	} else {
		delete(f.hides[user], h)
	}
}

// What hides there are to be looked for.
var (
	anyHide = []feedengine.HideKind{feedengine.HideBlock, feedengine.HideBlockedBy, feedengine.HideMute}
	blocks  = []feedengine.HideKind{feedengine.HideBlock, feedengine.HideBlockedBy}
)

// hidden reports whether other is hidden from the user in one of the ways.
func (f *facts) hidden(user, other string, ways []feedengine.HideKind) bool {
	return slices.ContainsFunc(ways, func(k feedengine.HideKind) bool { return f.hides[user][feedengine.Hide{Other: other, Kind: k}] })
}

func (f *facts) hidesOf(user string) (hides []feedengine.Hide) {
	for h := range f.hides[user] {
		hides = append(hides, h)
	}
	slices.SortFunc(hides, func(a, b feedengine.Hide) int {
		return cmp.Or(strings.Compare(a.Other, b.Other), cmp.Compare(a.Kind, b.Kind))
	})
	return hides
}

// visible is a post as the viewer may see it, or nil. A service, "", sees all.
func (f *facts) visible(viewer string, id feedengine.ID) *feedengine.Post {
	p := f.byID[id]
	switch {
	case p == nil || viewer == "" || p.Author == viewer:
		return p
	case f.hidden(viewer, p.Author, blocks):
		return nil
	case p.Followers():
		if _, follows := f.follows[viewer][p.Author]; !follows {
			return nil
		}
	}
	return p
}
