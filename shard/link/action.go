package link

import "github.com/feedgate/feedgate/feedengine"

// Actions of an Ask. The numbers travel; they never change their meaning.
const (
	actPublish  = 1
	actDelete   = 2
	actFollow   = 3
	actUnfollow = 4
	actRead     = 5
	actUnread   = 6
	actAttach   = 7
	actDetach   = 8
	actSync     = 9
	actSetState = 10
)

// putAction says false for an action that it does not know.
func putAction(b []byte, do feedengine.Action) ([]byte, bool) {
	switch a := do.(type) {
	case feedengine.Publish:
		b = append(b, actPublish)
		b = putString(b, a.Text)
		b = putString(b, a.Kind)
		b = putString(b, a.Key)
	case feedengine.Delete:
		b = putID(append(b, actDelete), a.Post)
	case feedengine.Follow:
		b = putStrings(append(b, actFollow), a.Users)
	case feedengine.Unfollow:
		b = putStrings(append(b, actUnfollow), a.Users)
	case feedengine.Read:
		b = putID(append(b, actRead, byte(a.Of)), a.Upto)
	case feedengine.Unread:
		b = append(b, actUnread)
	case feedengine.Attach:
		b = putUint(append(b, actAttach), uint64(a.Session))
		b = putBool(b, a.Resume != nil)
		if a.Resume != nil {
			b = putUint(b, uint64(a.Resume.Stream))
			b = putUint(b, a.Resume.N)
		}
		b = putUint(b, uint64(max(0, a.Page)))
	case feedengine.Detach:
		b = putUint(append(b, actDetach), uint64(a.Session))
	case feedengine.Sync:
		b = putUint(append(b, actSync), uint64(a.Session))
		b = putUint(b, a.N)
	case feedengine.SetState:
		b = putUint(append(b, actSetState), uint64(a.Session))
		b = putBool(b, a.Background)
	default:
		return b, false
	}
	return b, true
}

func (t *taker) action() feedengine.Action {
	switch t.byte() {
	case actPublish:
		return feedengine.Publish{Text: t.string(), Kind: t.string(), Key: t.string()}
	case actDelete:
		return feedengine.Delete{Post: t.id()}
	case actFollow:
		return feedengine.Follow{Users: t.strings()}
	case actUnfollow:
		return feedengine.Unfollow{Users: t.strings()}
	case actRead:
		return feedengine.Read{Of: feedengine.List(t.byte()), Upto: t.id()}
	case actUnread:
		return feedengine.Unread{}
	case actAttach:
		a := feedengine.Attach{Session: t.session()}
		if t.bool() {
			a.Resume = &feedengine.Resume{Stream: feedengine.StreamID(t.uint()), N: t.uint()}
		}
		a.Page = int(t.upTo(1 << 20))
		return a
	case actDetach:
		return feedengine.Detach{Session: t.session()}
	case actSync:
		return feedengine.Sync{Session: t.session(), N: t.uint()}
	case actSetState:
		return feedengine.SetState{Session: t.session(), Background: t.bool()}
	}
	t.fail()
	return nil
}

func (t *taker) session() feedengine.SessionID { return feedengine.SessionID(t.uint()) }
