package feedengine

// A hide is a filter, and no deletion: what it hides from a user is neither shown
// nor counted while it stands, edges of the graph included, and comes back with
// its end. So it does not matter in which order the logs of the two users are
// applied.

// HideKind is why one user is hidden from another. The values are stored.
type HideKind uint8

const (
	HideBlock     HideKind = 1 // the user blocks the other
	HideBlockedBy HideKind = 2 // the other blocks the user: the same block seen from there
	HideMute      HideKind = 3 // the user mutes the other: hides posts and notifications, and leaves messages
)

// Hide says that Other is hidden from a user.
type Hide struct {
	Other string
	Kind  HideKind
}

// Blocks reports whether the hide is a block, from whichever side.
func (k HideKind) Blocks() bool { return k == HideBlock || k == HideBlockedBy }
