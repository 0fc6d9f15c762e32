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
	case "visibility":
		r.str(HasVisibility, name, v, &r.Visibility)
	case "media":
		r.media(v)
	case "job":
		r.job(v)
	case "key":
		r.str(HasKey, name, v, &r.Key)
	case "post":
		r.str(HasPost, name, v, &r.Post)
	case "user":
		r.str(HasUser, name, v, &r.User)
	case "users":
		r.list(HasUsers, name, v, &r.Users)
	case "to":
		r.oneOrMore(HasTo, name, v, &r.To)
	case "conversation":
		r.str(HasConversation, name, v, &r.Conversation)
	case "reply":
		r.str(HasReply, name, v, &r.Reply)
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
	case "expand":
		r.flag(HasExpand, name, v, &r.Expand)
	case "closed":
		r.flag(HasClosed, name, v, &r.Closed)
	case "closes_by":
		r.str(HasClosesBy, name, v, &r.ClosesBy)
	case "search":
		r.str(HasSearch, name, v, &r.Search)
	case "query":
		r.query(v)
	default:
		if !r.find(&r.Find, name, v) {
			r.profile(name, v)
		}
	}
}

// find takes a field of a query and reports whether name is one.
func (r *Request) find(q *Query, name string, v []byte) bool {
	switch name {
	case "q":
		r.str(HasQ, name, v, &q.Q)
	case "category":
		r.str(HasCategory, name, v, &q.Category)
	case "location":
		r.str(HasLocation, name, v, &q.Location)
	case "salary_min":
		r.num(HasSalaryMin, name, v, &q.SalaryMin)
	case "salary_max":
		r.num(HasSalaryMax, name, v, &q.SalaryMax)
	case "currency":
		r.str(HasCurrency, name, v, &q.Currency)
	default:
		return false
	}
	return true
}

// profile takes a field that tells of a user.
func (r *Request) profile(name string, v []byte) {
	switch name {
	case "name":
		r.str(HasName, name, v, &r.Name)
	case "handle":
		r.str(HasHandle, name, v, &r.Handle)
	case "avatar":
		r.str(HasAvatar, name, v, &r.Avatar)
	case "email":
		r.str(HasEmail, name, v, &r.Email)
	case "phone":
		r.str(HasPhone, name, v, &r.Phone)
	case "subject":
		r.str(HasSubject, name, v, &r.Subject)
	case "password":
		r.str(HasPassword, name, v, &r.Password)
	case "old":
		r.str(HasOld, name, v, &r.Old)
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

func (r *Request) flag(f Field, name string, v []byte, into *bool) {
	if isNull(v) {
		return
	}
	if v[0] != 't' && v[0] != 'f' {
		r.Fault.note(true, `"`+name+`" must be true or false`)
		return
	}
	*into, r.Has = v[0] == 't', r.Has|f
}

// oneOrMore takes a string, or a list of strings.
func (r *Request) oneOrMore(f Field, name string, v []byte, into *[]string) {
	if v[0] == '"' {
		*into, r.Has = []string{unquote(v)}, r.Has|f
		return
	}
	r.list(f, name, v, into)
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
