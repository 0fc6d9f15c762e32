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
	actEdit     = 11
	actLike     = 12
	actComment  = 13
	actSend     = 14
	actReceived = 15
	actHide     = 16
	actProfile  = 17
)

// putAction says false for an action that it does not know.
func putAction(b []byte, do feedengine.Action) ([]byte, bool) {
	switch a := do.(type) {
	case feedengine.Publish:
		b = append(b, actPublish)
		b = putString(b, a.Text)
		b = putString(b, a.Kind)
		b = putString(b, a.Key)
		b = putMore(b, a.More)
	case feedengine.Delete:
		b = putID(append(b, actDelete), a.Post)
	case feedengine.Follow:
		b = putBool(putStrings(append(b, actFollow), a.Users), a.Notify)
	case feedengine.Unfollow:
		b = putStrings(append(b, actUnfollow), a.Users)
	case feedengine.Read:
		b = putID(append(b, actRead, byte(a.Of)), a.Upto)
		b = putID(b, a.Conversation)
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
	case feedengine.Edit:
		b = putEdit(append(b, actEdit), &a)
	case feedengine.LikePost:
		b = putBool(putID(append(b, actLike), a.Post), a.Off)
	case feedengine.AddComment:
		b = putID(append(b, actComment), a.Post)
		b = putString(b, a.Text)
		b = putString(b, a.Key)
	case feedengine.Send:
		b = putStrings(append(b, actSend), a.To)
		b = putID(b, a.Conversation)
		b = putString(b, a.Text)
		b = putMedia(b, a.Media)
		b = putID(b, a.Reply)
		b = putString(b, a.Key)
	case feedengine.Received:
		b = putID(append(b, actReceived), a.Conversation)
		b = putID(b, a.Upto)
	case feedengine.HideUser:
		b = putString(append(b, actHide), a.User)
		b = putBool(append(b, byte(a.Kind)), a.Off)
	case feedengine.PutProfile:
		b = putJSON(append(b, actProfile), a.Profile)
	default:
		return b, false
	}
	return b, true
}

func (t *taker) action() feedengine.Action {
	switch t.byte() {
	case actPublish:
		return feedengine.Publish{Text: t.string(), Kind: t.string(), Key: t.string(), More: t.more()}
	case actDelete:
		return feedengine.Delete{Post: t.id()}
	case actFollow:
		return feedengine.Follow{Users: t.strings(), Notify: t.bool()}
	case actUnfollow:
		return feedengine.Unfollow{Users: t.strings()}
	case actRead:
		return feedengine.Read{Of: feedengine.List(t.byte()), Upto: t.id(), Conversation: t.id()}
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
	case actEdit:
		return t.edit()
	case actLike:
		return feedengine.LikePost{Post: t.id(), Off: t.bool()}
	case actComment:
		return feedengine.AddComment{Post: t.id(), Text: t.string(), Key: t.string()}
	case actSend:
		return feedengine.Send{
			To: t.strings(), Conversation: t.id(), Text: t.string(), Media: t.media(), Reply: t.id(), Key: t.string(),
		}
	case actReceived:
		return feedengine.Received{Conversation: t.id(), Upto: t.id()}
	case actHide:
		return feedengine.HideUser{User: t.string(), Kind: feedengine.HideKind(t.byte()), Off: t.bool()}
	case actProfile:
		a := feedengine.PutProfile{}
		t.json(&a.Profile)
		return a
	}
	t.fail()
	return nil
}

// What an Edit changes is said by flags.
const (
	editText = 1 << iota
	editMedia
	editFollowers
	editJob
)

func putEdit(b []byte, a *feedengine.Edit) []byte {
	b = putID(b, a.Post)
	at := len(b)
	b = append(b, 0)
	if a.Text != nil {
		b[at] |= editText
		b = putString(b, *a.Text)
	}
	if a.Media != nil {
		b[at] |= editMedia
		b = putMedia(b, *a.Media)
	}
	if a.Followers != nil {
		b[at] |= editFollowers
		b = putBool(b, *a.Followers)
	}
	if a.Job != nil {
		b[at] |= editJob
		b = putJSON(b, a.Job)
	}
	return b
}

func (t *taker) edit() feedengine.Edit {
	a := feedengine.Edit{Post: t.id()}
	flags := t.byte()
	if flags&editText != 0 {
		text := t.string()
		a.Text = &text
	}
	if flags&editMedia != 0 {
		media := t.media()
		a.Media = &media
	}
	if flags&editFollowers != 0 {
		followers := t.bool()
		a.Followers = &followers
	}
	if flags&editJob != 0 {
		t.json(&a.Job)
	}
	return a
}

func putMedia(b []byte, media []feedengine.Media) []byte {
	if len(media) == 0 {
		return putUint(b, 0)
	}
	return putJSON(b, media)
}

func (t *taker) media() (media []feedengine.Media) {
	t.json(&media)
	return media
}

func (t *taker) session() feedengine.SessionID { return feedengine.SessionID(t.uint()) }
