package gateway

import (
	"context"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// names are the profiles of a page's authors, by user. Who has none has no name.
type names map[string]*feedengine.Profile

// namesOf looks up the profiles of those who wrote a page's elements. When the
// client asked for no names it asks nothing.
func namesOf[T any](ctx context.Context, from Reads, expand bool, page []T, author func(*T) string) (names, error) {
	if !expand || len(page) == 0 {
		return nil, nil
	}
	users := make([]string, len(page))
	for i := range page {
		users[i] = author(&page[i])
	}
	slices.Sort(users)
	profiles, err := from.Profiles(ctx, slices.Compact(users))
	if err != nil {
		return nil, err
	}
	n := make(names, len(profiles))
	for i := range profiles {
		n[profiles[i].User] = &profiles[i]
	}
	return n, nil
}

// of is the user's display name.
func (n names) of(user string) string {
	if p := n[user]; p != nil {
		return p.Name
	}
	return ""
}

// namePosts gives the posts of a page their authors' names and avatars.
func namePosts(ctx context.Context, from Reads, expand bool, page []wire.Post) error {
	n, err := namesOf(ctx, from, expand, page, func(p *wire.Post) string { return p.Author })
	for i := range page {
		if p := n[page[i].Author]; p != nil {
			page[i].Name, page[i].Avatar = p.Name, p.Avatar
		}
	}
	return err
}
