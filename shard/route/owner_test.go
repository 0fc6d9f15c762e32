package route

import (
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// TestRouterKnowsTheOwner follows a shard from one owner to the next.
func TestRouterKnowsTheOwner(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		want := func(after, owner string) {
			t.Helper()
			if got := g.r.Owner("alice"); got != owner {
				t.Errorf("after %s the owner is %q, want %q", after, got, owner)
			}
		}
		want("the store's word", "p")
		g.r.NodeGone("q")
		want("the end of another", "p")
		g.r.NodeGone("p")
		want("its end", "")
		g.r.Receive(link.Peer{Node: "p"}, link.Heads{Owned: []link.OwnedHead{{Head: feedengine.Head{Epoch: 5}}}})
		want("a sign of life", "p")
		g.r.Serving("q", feedengine.Place{Epoch: 4})
		want("an old claim", "p")
		g.r.Serving("q", feedengine.Place{Epoch: 6})
		want("the next claim", "q")
	})
	inRig(t, "", func(g *rig) {
		if got := g.r.Owner("alice"); got != "" {
			t.Errorf("%q owns what nobody has claimed", got)
		}
	})
}
