package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// DecodeFields reads the fields of an operation from an HTTP body. What belongs
// to a frame around them (id, op, ack, token) is ignored like any unknown field.
func DecodeFields(p []byte, r *Request) error { return decode(p, r, false) }

func decode(p []byte, r *Request, frame bool) error {
	*r = Request{}
	if !json.Valid(p) {
		return ErrBroken
	}
	s := scanner{p: p}
	if s.skip(); s.peek() != '{' {
		return ErrBroken
	}
	if !utf8.Valid(p) {
		r.Fault.note(true, "the frame is not valid UTF-8")
	}
	s.i++
	for {
		name, value, ok := s.member()
		if !ok {
			return nil
		}
		if !r.frameField(name, value, frame) {
			r.field(name, value)
		}
	}
}

// frameField takes a field of the frame itself and reports whether name is one.
func (r *Request) frameField(name string, v []byte, frame bool) bool {
	switch name {
	case "id", "op", "ack", "token":
	default:
		return false
	}
	if !frame {
		return true
	}
	switch name {
	case "id":
		r.id(v)
	case "op":
		r.str(HasOp, name, v, &r.Op)
	case "ack":
		r.num(HasAck, name, v, &r.Ack)
	case "token":
		r.str(HasToken, name, v, &r.Token)
	}
	return true
}

// field takes a field of an operation.
func (r *Request) field(name string, v []byte) {
	switch name {
	case "resume":
		r.resume(v)
	case "feed":
		r.num(HasFeed, name, v, &r.Feed)
	case "text":
		r.str(HasText, name, v, &r.Text)
	case "kind":
		r.str(HasKind, name, v, &r.Kind)
	case "key":
		r.str(HasKey, name, v, &r.Key)
	case "post":
		r.str(HasPost, name, v, &r.Post)
	case "user":
		r.str(HasUser, name, v, &r.User)
	case "users":
		r.list(HasUsers, name, v, &r.Users)
	case "of":
		r.str(HasOf, name, v, &r.Of)
	case "upto":
		r.str(HasUpto, name, v, &r.Upto)
	case "before":
		r.str(HasBefore, name, v, &r.Before)
	case "limit":
		r.num(HasLimit, name, v, &r.Limit)
	case "n":
		r.num(HasN, name, v, &r.N)
	case "state":
		r.str(HasState, name, v, &r.State)
	}
}

func (r *Request) id(v []byte) {
	if isNull(v) {
		return
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n > MaxInt || n < -MaxInt {
		r.Fault.note(true, `"id" must be an integer`)
		return
	}
	r.ID, r.Has = n, r.Has|HasID
}

// num takes an integer from 0 to MaxInt.
func (r *Request) num(f Field, name string, v []byte, into *uint64) {
	if isNull(v) {
		return
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		r.Fault.note(true, `"`+name+`" must be an integer`)
		return
	}
	r.Has |= f
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > MaxInt {
		r.Fault.note(false, `"`+name+`" must be an integer from 0 to 2^53`)
		return
	}
	*into = n
}

func (r *Request) str(f Field, name string, v []byte, into *string) {
	if isNull(v) {
		return
	}
	if v[0] != '"' {
		r.Fault.note(true, `"`+name+`" must be a string`)
		return
	}
	*into, r.Has = unquote(v), r.Has|f
}

func (r *Request) list(f Field, name string, v []byte, into *[]string) {
	if isNull(v) {
		return
	}
	var all []*string // pointers, so that a null is not taken for ""
	if v[0] != '[' || json.Unmarshal(v, &all) != nil {
		r.Fault.note(true, `"`+name+`" must be a list of strings`)
		return
	}
	list := make([]string, len(all))
	for i, s := range all {
		if s == nil {
			r.Fault.note(true, `"`+name+`" must be a list of strings`)
			return
		}
		list[i] = *s
	}
	*into, r.Has = list, r.Has|f
}

func (r *Request) resume(v []byte) {
	if isNull(v) {
		return
	}
	if v[0] != '{' {
		r.Fault.note(true, `"resume" must be an object`)
		return
	}
	var in Request // for its field methods: "resume" has fields of the same types
	s := scanner{p: v, i: 1}
	for {
		name, value, ok := s.member()
		if !ok {
			break
		}
		switch name {
		case "stream":
			in.str(HasState, name, value, &in.State)
		case "n":
			in.num(HasN, name, value, &in.N)
		}
	}
	if in.Fault.Err() {
		r.Fault.note(in.Fault.Malformed, "resume: "+in.Fault.Message)
		return
	}
	if in.Has&HasState == 0 || in.Has&HasN == 0 {
		r.Fault.note(true, `"resume" must have a stream and an n`)
		return
	}
	r.Resume, r.Has = &Resume{in.State, in.N}, r.Has|HasResume
}

func isNull(v []byte) bool { return v[0] == 'n' }

// unquote reads a valid JSON string.
func unquote(v []byte) string {
	in := v[1 : len(v)-1]
	plain := true
	for _, c := range in {
		if c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(in)
	}
	var s string // lone surrogates and broken UTF-8 become U+FFFD
	_ = json.Unmarshal(v, &s)
	return s
}
