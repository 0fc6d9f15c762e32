package link

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// What a Result has is said by flags.
const (
	resultErr = 1 << iota
	resultPost
	resultPage
	resultResumed
	resultIDs    // Since, Upto
	resultStream // Stream, N, Replay
	resultCounts
	resultSocial // the flags below, and what they name
)

const (
	resultLikes = 1 << iota
	resultComment
	resultMessage
	resultProfile
	resultChats
)

func putResult(b []byte, r *feedengine.Result) []byte {
	flags := resultFlags(r)
	b = append(b, flags)
	if r.Err != nil {
		b = putString(b, string(r.Err.Code))
		b = putString(b, r.Err.Message)
		b = putUint(b, uint64(max(0, r.Err.Retry)))
	}
	if r.Post != nil {
		b = putPost(b, r.Post)
	}
	if flags&resultIDs != 0 {
		b = putID(b, r.Since)
		b = putID(b, r.Upto)
	}
	if flags&resultStream != 0 {
		b = putUint(b, uint64(r.Stream))
		b = putUint(b, r.N)
		b = putUint(b, uint64(max(0, r.Replay)))
	}
	if flags&resultCounts != 0 {
		b = putCounts(b, r.Counts)
	}
	if r.Page != nil {
		b = putUint(b, uint64(len(r.Page.Posts)))
		for _, p := range r.Page.Posts {
			b = putPost(b, p)
		}
		b = putID(b, r.Page.Next)
	}
	if flags&resultSocial != 0 {
		b = putSocial(b, r)
	}
	return b
}

func putSocial(b []byte, r *feedengine.Result) []byte {
	b = append(b, socialFlags(r))
	if r.Likes != 0 {
		b = putUint(b, uint64(max(0, r.Likes)))
	}
	if r.Comment != nil {
		b = putJSON(b, r.Comment)
	}
	if r.Message != nil {
		b = putJSON(b, r.Message)
	}
	if r.Profile != nil {
		b = putJSON(b, r.Profile)
	}
	if len(r.Chats) > 0 {
		b = putUint(b, uint64(len(r.Chats)))
		for _, c := range r.Chats {
			b = putUint(putID(b, c.Conversation), uint64(c.Unread))
		}
	}
	return b
}

func socialFlags(r *feedengine.Result) byte {
	flags := byte(0)
	set := func(bit byte, is bool) {
		if is {
			flags |= bit
		}
	}
	set(resultLikes, r.Likes != 0)
	set(resultComment, r.Comment != nil)
	set(resultMessage, r.Message != nil)
	set(resultProfile, r.Profile != nil)
	set(resultChats, len(r.Chats) > 0)
	return flags
}

func resultFlags(r *feedengine.Result) byte {
	flags := byte(0)
	set := func(bit byte, is bool) {
		if is {
			flags |= bit
		}
	}
	set(resultErr, r.Err != nil)
	set(resultPost, r.Post != nil)
	set(resultPage, r.Page != nil)
	set(resultResumed, r.Resumed)
	set(resultIDs, r.Since != 0 || r.Upto != 0)
	set(resultStream, r.Stream != 0 || r.N != 0 || r.Replay != 0)
	set(resultCounts, r.Counts != feedengine.Counts{})
	set(resultSocial, socialFlags(r) != 0)
	return flags
}

func (t *taker) result() (r feedengine.Result) {
	flags := t.byte()
	if flags&resultErr != 0 {
		r.Err = &feedengine.Error{
			Code: feedengine.Code(t.string()), Message: t.string(), Retry: time.Duration(t.upTo(1<<63 - 1)),
		}
	}
	if flags&resultPost != 0 {
		r.Post = t.post()
	}
	if flags&resultIDs != 0 {
		r.Since, r.Upto = t.id(), t.id()
	}
	r.Resumed = flags&resultResumed != 0
	if flags&resultStream != 0 {
		r.Stream, r.N, r.Replay = feedengine.StreamID(t.uint()), t.uint(), int(t.upTo(1<<40))
	}
	if flags&resultCounts != 0 {
		r.Counts = t.counts()
	}
	if flags&resultPage != 0 {
		r.Page = &feedengine.Page{Posts: make([]*feedengine.Post, t.count(leastPost))}
		for i := range r.Page.Posts {
			r.Page.Posts[i] = t.post()
		}
		r.Page.Next = t.id()
	}
	if flags&resultSocial != 0 {
		t.social(&r)
	}
	return r
}

func (t *taker) social(r *feedengine.Result) {
	flags := t.byte()
	if flags&resultLikes != 0 {
		r.Likes = int(t.upTo(1 << 40))
	}
	if flags&resultComment != 0 {
		t.json(&r.Comment)
	}
	if flags&resultMessage != 0 {
		t.json(&r.Message)
	}
	if flags&resultProfile != 0 {
		t.json(&r.Profile)
	}
	if flags&resultChats != 0 {
		const least = 9
		r.Chats = make([]feedengine.ChatCount, t.count(least))
		for i := range r.Chats {
			r.Chats[i] = feedengine.ChatCount{Conversation: t.id(), Unread: uint32(t.upTo(1<<32 - 1))}
		}
	}
}
