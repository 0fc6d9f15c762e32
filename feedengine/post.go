package feedengine

import "time"

// Post is what an author published. Its time is its ID's.
type Post struct {
	ID       ID
	Author   string
	Kind     string // KindOfPost or KindOfJob
	Text     string
	Likes    int
	Comments int
	More     *More // nil for the post that most are: a public text, as it was published
}

// The values of Post.Kind.
const (
	KindOfPost = "post"
	KindOfJob  = "job"
)

// More is what some posts have beside their text.
type More struct {
	Followers bool     `json:"followers,omitempty"` // shown to the author's followers only; else to everybody
	Media     []Media  `json:"media,omitempty"`
	Job       *Job     `json:"job,omitempty"`    // of a Post.Kind KindOfJob, always
	Edited    ID       `json:"edited,omitempty"` // of the event that changed it last, 0: never
	Alerts    []string `json:"alerts,omitempty"` // users whose saved search the job matched when it was published
}

// Media refers to something that lies elsewhere.
type Media struct {
	URL  string `json:"url"`  // http or https, 1 to 2,048 bytes
	Type string `json:"type"` // a media type such as image/jpeg, at most 100 bytes
	Size int64  `json:"size"` // bytes, 0: not known
}

// Job is an opening on the jobs board.
type Job struct {
	Title     string    `json:"title"`                // 1 to 200 bytes
	Category  string    `json:"category,omitempty"`   // at most 100 bytes
	Location  string    `json:"location,omitempty"`   // at most 100 bytes
	SalaryMin int64     `json:"salary_min,omitempty"` // a year, in whole units of Currency; 0: not told
	SalaryMax int64     `json:"salary_max,omitempty"`
	Currency  string    `json:"currency,omitempty"` // three capital letters
	Closes    time.Time `json:"closes,omitzero"`    // UTC; zero: open until it is deleted
}

// At is when the post was accepted, UTC, to the millisecond.
func (p *Post) At() time.Time { return p.ID.Time() }

// Followers reports whether only the author's followers may see the post.
func (p *Post) Followers() bool { return p.More != nil && p.More.Followers }

// alerts are the users whose saved searches the post matches.
func (p *Post) alerts() []string {
	if p == nil || p.More == nil {
		return nil
	}
	return p.More.Alerts
}
