package wire

import (
	"strconv"
	"time"
)

// Post is a post as clients see it.
type Post struct {
	ID        int64
	Author    string
	Kind      string
	Text      string
	At        time.Time
	Likes     int
	Comments  int
	Followers bool      // only the author's followers see it
	Media     []Media   // nil: none
	Edited    time.Time // zero: never
	Job       *Job      // nil: it is none
	Name      string    // the author's, "": none, or not asked for
	Avatar    string    // likewise
}

// AppendJSON encodes the post as it stands in replies, without a type.
func (p *Post) AppendJSON(dst []byte) []byte {
	return append(p.appendFields(append(dst, '{')), '}')
}

func (p *Post) appendFields(dst []byte) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, p.ID)
	dst = append(dst, `,"author":`...)
	dst = appendString(dst, p.Author)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, p.Kind)
	dst = append(dst, `,"text":`...)
	dst = appendString(dst, p.Text)
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, p.At)
	dst = append(dst, `,"likes":`...)
	dst = strconv.AppendInt(dst, int64(p.Likes), 10)
	dst = append(dst, `,"comments":`...)
	dst = strconv.AppendInt(dst, int64(p.Comments), 10)
	if p.Followers {
		dst = append(dst, `,"visibility":"followers"`...)
	}
	if len(p.Media) > 0 {
		dst = append(dst, `,"media":`...)
		dst = appendMedia(dst, p.Media)
	}
	if !p.Edited.IsZero() {
		dst = append(dst, `,"edited":`...)
		dst = appendTime(dst, p.Edited)
	}
	if p.Job != nil {
		dst = append(dst, `,"job":`...)
		dst = p.Job.AppendJSON(dst)
	}
	dst = appendSome(dst, `,"name":`, p.Name)
	return appendSome(dst, `,"avatar":`, p.Avatar)
}

// Media refers to something that lies elsewhere. A Size of 0 is not known.
type Media struct {
	URL  string
	Type string
	Size int64
}

// AppendJSON encodes {"url":…,"type":…,"size":…}.
func (m *Media) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"url":`...)
	dst = appendString(dst, m.URL)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, m.Type)
	dst = append(dst, `,"size":`...)
	dst = strconv.AppendInt(dst, m.Size, 10)
	return append(dst, '}')
}

func appendMedia(dst []byte, list []Media) []byte {
	return appendList(dst, list, func(dst []byte, m *Media) []byte { return m.AppendJSON(dst) })
}

// Job is an opening. But for the title, zero fields are left out.
type Job struct {
	Title     string
	Category  string
	Location  string
	SalaryMin int64
	SalaryMax int64
	Currency  string
	Closes    time.Time // UTC, to the millisecond
}

// AppendJSON encodes {"title":…,"category":…,…}.
func (j *Job) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"title":`...)
	dst = appendString(dst, j.Title)
	dst = appendSome(dst, `,"category":`, j.Category)
	dst = appendSome(dst, `,"location":`, j.Location)
	dst = appendAmount(dst, `,"salary_min":`, j.SalaryMin)
	dst = appendAmount(dst, `,"salary_max":`, j.SalaryMax)
	dst = appendSome(dst, `,"currency":`, j.Currency)
	if !j.Closes.IsZero() {
		dst = append(dst, `,"closes":`...)
		dst = appendTime(dst, j.Closes)
	}
	return append(dst, '}')
}

// AppendJSON encodes the query's fields that are not zero.
func (q *Query) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	empty := len(dst)
	dst = appendSome(dst, `,"q":`, q.Q)
	dst = appendSome(dst, `,"category":`, q.Category)
	dst = appendSome(dst, `,"location":`, q.Location)
	dst = appendAmount(dst, `,"salary_min":`, int64(q.SalaryMin))
	dst = appendAmount(dst, `,"salary_max":`, int64(q.SalaryMax))
	dst = appendSome(dst, `,"currency":`, q.Currency)
	if len(dst) > empty { // the first comma
		dst = append(dst[:empty], dst[empty+1:]...)
	}
	return append(dst, '}')
}
