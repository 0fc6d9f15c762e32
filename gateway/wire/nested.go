package wire

import "time"

// Objects within a request. Their members are as strict about types as its fields.

// members has take called for every member of the object v, with a Request whose
// field methods it may use, and reports whether v is one without a fault.
func (r *Request) members(name string, v []byte, take func(in *Request, member string, value []byte)) (has Field, ok bool) {
	if isNull(v) {
		return 0, false
	}
	if v[0] != '{' {
		r.Fault.note(true, `"`+name+`" must be an object`)
		return 0, false
	}
	var in Request
	s := scanner{p: v, i: 1}
	for {
		member, value, ok := s.member()
		if !ok {
			break
		}
		take(&in, member, value)
	}
	if in.Fault.Err() {
		r.Fault.note(in.Fault.Malformed, name+": "+in.Fault.Message)
		return 0, false
	}
	return in.Has, true
}

func (r *Request) resume(v []byte) {
	var to Resume
	has, ok := r.members("resume", v, func(in *Request, member string, value []byte) {
		switch member {
		case "stream":
			in.str(HasState, member, value, &to.Stream)
		case "n":
			in.num(HasN, member, value, &to.N)
		}
	})
	switch {
	case !ok:
	case has != HasState|HasN:
		r.Fault.note(true, `"resume" must have a stream and an n`)
	default:
		r.Resume, r.Has = &to, r.Has|HasResume
	}
}

func (r *Request) query(v []byte) {
	var q Query
	if _, ok := r.members("query", v, func(in *Request, member string, value []byte) {
		in.find(&q, member, value)
	}); ok {
		r.Query, r.Has = &q, r.Has|HasQuery
	}
}

func (r *Request) job(v []byte) {
	var (
		j      Job
		q      Query // for the fields that a query has, too
		closes string
	)
	has, ok := r.members("job", v, func(in *Request, member string, value []byte) {
		switch member {
		case "title":
			in.str(HasName, member, value, &j.Title)
		case "closes":
			in.str(HasClosed, member, value, &closes)
		case "q": // is nothing of a job's
		default:
			in.find(&q, member, value)
		}
	})
	if !ok {
		return
	}
	if has&HasClosed != 0 && closes != "" {
		at, ok := ParseTime(closes)
		if !ok {
			r.Fault.note(false, `job: "closes" must be a time as in RFC 3339`)
			return
		}
		j.Closes = at
	}
	j.Category, j.Location, j.Currency = q.Category, q.Location, q.Currency
	j.SalaryMin, j.SalaryMax = int64(q.SalaryMin), int64(q.SalaryMax)
	r.Job, r.Has = &j, r.Has|HasJob
}

// ParseTime reads a time of the years that clients can be shown, to the millisecond.
func ParseTime(s string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if at = at.UTC().Truncate(time.Millisecond); err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, false
	}
	return at, true
}

// media takes a list of at most MaxMedia references; an empty one is there, too.
func (r *Request) media(v []byte) {
	if isNull(v) {
		return
	}
	if v[0] != '[' {
		r.Fault.note(true, `"media" must be a list`)
		return
	}
	list := []Media{}
	s := scanner{p: v, i: 1}
	for {
		value, ok := s.element()
		if !ok {
			break
		}
		if len(list) == MaxMedia {
			r.Fault.note(false, `"media" must have at most 10 elements`)
			return
		}
		var m Media
		var size uint64
		_, ok = r.members("media", value, func(in *Request, member string, value []byte) {
			switch member {
			case "url":
				in.str(HasAvatar, member, value, &m.URL)
			case "type":
				in.str(HasKind, member, value, &m.Type)
			case "size":
				in.num(HasN, member, value, &size)
			}
		})
		if !ok {
			if !r.Fault.Err() { // a null
				r.Fault.note(true, `"media" must be a list of objects`)
			}
			return
		}
		m.Size = int64(size)
		list = append(list, m)
	}
	r.Media, r.Has = list, r.Has|HasMedia
}
