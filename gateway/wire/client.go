package wire

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ServerFrame is one server frame as a client reads it. Which fields are set
// tells what it is: see the package's comment.
type ServerFrame struct {
	Re     *int64          `json:"re"`
	OK     json.RawMessage `json:"ok"`
	Err    *Error          `json:"error"`
	N      uint64          `json:"n"`
	Unread *Counts         `json:"unread"`
	Event  json.RawMessage `json:"event"`
	HB     *uint64         `json:"hb"`
	Reset  *Reset          `json:"reset"`
	Bye    *Bye            `json:"bye"`

	Typing   *Typing         `json:"typing"`
	Presence json.RawMessage `json:"presence"`
}

// DecodeServer reads a server frame of feedgate.v1.json.
func DecodeServer(p []byte) (*ServerFrame, error) {
	var f ServerFrame
	if err := json.Unmarshal(p, &f); err != nil {
		return nil, errors.New("not a server frame: " + err.Error())
	}
	return &f, nil
}

// UnmarshalJSON reads what AppendJSON wrote.
func (e *Error) UnmarshalJSON(p []byte) error {
	var in struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Retryable bool   `json:"retryable"`
		RetryMS   int64  `json:"retry_ms"`
	}
	if err := json.Unmarshal(p, &in); err != nil {
		return err
	}
	*e = Error{in.Code, in.Message, in.Retryable, time.Duration(in.RetryMS) * time.Millisecond}
	return nil
}

// UnmarshalJSON reads a bye as AppendFrame wrote it.
func (b *Bye) UnmarshalJSON(p []byte) error {
	var in struct {
		Code     CloseCode `json:"code"`
		Reason   string    `json:"reason"`
		RetryMS  int64     `json:"retry_ms"`
		SpreadMS int64     `json:"spread_ms"`
	}
	if err := json.Unmarshal(p, &in); err != nil {
		return err
	}
	*b = Bye{in.Code, in.Reason, time.Duration(in.RetryMS) * time.Millisecond, time.Duration(in.SpreadMS) * time.Millisecond}
	return nil
}

// AppendRequest encodes a client frame: the fields that are not zero, and those
// that r.Has names.
func AppendRequest(dst []byte, r *Request) []byte {
	dst = append(dst, '{')
	empty := len(dst)
	name := func(n string) {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, n...)
		dst = append(dst, '"', ':')
	}
	num := func(n string, v uint64, f Field) {
		if v != 0 || r.Has&f != 0 {
			name(n)
			dst = strconv.AppendUint(dst, v, 10)
		}
	}
	str := func(n, v string, f Field) {
		if v != "" || r.Has&f != 0 {
			name(n)
			dst = appendString(dst, v)
		}
	}
	if r.ID != 0 || r.Has&HasID != 0 {
		name("id")
		dst = strconv.AppendInt(dst, r.ID, 10)
	}
	str("op", r.Op, HasOp)
	num("ack", r.Ack, HasAck)
	str("token", r.Token, HasToken)
	if r.Resume != nil {
		name("resume")
		dst = append(dst, `{"stream":`...)
		dst = appendString(dst, r.Resume.Stream)
		dst = append(dst, `,"n":`...)
		dst = strconv.AppendUint(dst, r.Resume.N, 10)
		dst = append(dst, '}')
	}
	num("feed", r.Feed, HasFeed)
	str("text", r.Text, HasText)
	str("kind", r.Kind, HasKind)
	str("visibility", r.Visibility, HasVisibility)
	if len(r.Media) > 0 || r.Has&HasMedia != 0 {
		name("media")
		dst = appendMedia(dst, r.Media)
	}
	if r.Job != nil {
		name("job")
		dst = r.Job.AppendJSON(dst)
	}
	str("key", r.Key, HasKey)
	str("post", r.Post, HasPost)
	str("user", r.User, HasUser)
	list := func(n string, v []string, f Field) {
		if len(v) > 0 || r.Has&f != 0 {
			name(n)
			dst = appendStrings(dst, v)
		}
	}
	list("users", r.Users, HasUsers)
	list("to", r.To, HasTo)
	str("conversation", r.Conversation, HasConversation)
	str("reply", r.Reply, HasReply)
	str("of", r.Of, HasOf)
	str("upto", r.Upto, HasUpto)
	str("before", r.Before, HasBefore)
	num("limit", r.Limit, HasLimit)
	num("n", r.N, HasN)
	str("state", r.State, HasState)
	flag := func(n string, v bool, f Field) {
		if v || r.Has&f != 0 {
			name(n)
			dst = strconv.AppendBool(dst, v)
		}
	}
	flag("expand", r.Expand, HasExpand)
	flag("closed", r.Closed, HasClosed)
	str("closes_by", r.ClosesBy, HasClosesBy)
	str("q", r.Find.Q, HasQ)
	str("category", r.Find.Category, HasCategory)
	str("location", r.Find.Location, HasLocation)
	num("salary_min", r.Find.SalaryMin, HasSalaryMin)
	num("salary_max", r.Find.SalaryMax, HasSalaryMax)
	str("currency", r.Find.Currency, HasCurrency)
	str("search", r.Search, HasSearch)
	if r.Query != nil {
		name("query")
		dst = r.Query.AppendJSON(dst)
	}
	str("name", r.Name, HasName)
	str("handle", r.Handle, HasHandle)
	str("avatar", r.Avatar, HasAvatar)
	str("email", r.Email, HasEmail)
	str("phone", r.Phone, HasPhone)
	str("subject", r.Subject, HasSubject)
	str("password", r.Password, HasPassword)
	str("old", r.Old, HasOld)
	return append(dst, '}')
}
