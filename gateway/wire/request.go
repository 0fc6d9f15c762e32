package wire

// Request is one client frame: the union of the fields of all operations. The
// zero value of a field means that it was absent or null; where absent and empty
// differ, Has tells.
//
// A field that is known and not of its type, or a number outside 0 … MaxInt, is
// told in Fault and the field is left zero: it is for the receiver to refuse the
// request and live on. Field names are exact; of a repeated one the last counts.
type Request struct {
	ID    int64  // echoed in "re"; 0 when absent
	Op    string // "" in a frame that only acknowledges
	Ack   uint64
	Token string

	Resume *Resume // connect
	Feed   uint64  // connect: newest posts wanted

	Text       string  // of a post, a comment, a message
	Kind       string  // publish
	Visibility string  // publish, edit
	Media      []Media // publish, edit, message
	Job        *Job    // publish, edit
	Key        string  // of a write
	Post       string  // a post's id

	User  string   // one user
	Users []string // follow, unfollow, presence

	To           []string // message: one user or several
	Conversation string   // an id
	Reply        string   // message: the id of one that it answers

	Of     string // read: a list
	Upto   string // read, received: an id, or "0"
	Before string // of a page
	Limit  uint64 // of a page
	Expand bool   // of a page, and connect: with names
	N      uint64 // sync
	State  string // state

	Find     Query  // jobs: the fields of a query stand beside the others
	Closed   bool   // jobs
	ClosesBy string // jobs: a time
	Search   string // delete_search: an id
	Query    *Query // save_search

	Name     string // save_search, put_profile
	Handle   string // profile, put_profile
	Avatar   string // put_profile
	Email    string // profile, put_profile, login
	Phone    string // profile, put_profile, login
	Subject  string // profile, put_profile
	Password string // password, login
	Old      string // password

	Has   Field
	Fault Fault
}

// Resume is where a client left its stream.
type Resume struct {
	Stream string `json:"stream"`
	N      uint64 `json:"n"`
}

// Query selects jobs. Zero fields select nothing away.
type Query struct {
	Q         string // words
	Category  string
	Location  string
	SalaryMin uint64
	SalaryMax uint64
	Currency  string
}

// Field is a set of the fields of a Request.
type Field uint64

const (
	HasID Field = 1 << iota
	HasOp
	HasAck
	HasToken
	HasResume
	HasFeed
	HasText
	HasKind
	HasKey
	HasPost
	HasUser
	HasUsers
	HasOf
	HasUpto
	HasBefore
	HasLimit
	HasN
	HasState
	HasVisibility
	HasMedia
	HasJob
	HasTo
	HasConversation
	HasReply
	HasExpand
	HasQ
	HasCategory
	HasLocation
	HasSalaryMin
	HasSalaryMax
	HasCurrency
	HasClosed
	HasSearch
	HasQuery
	HasName
	HasHandle
	HasAvatar
	HasEmail
	HasPhone
	HasSubject
	HasPassword
	HasOld
	HasClosesBy
)

// Fault is what is wrong with a request that could be read.
type Fault struct {
	// Malformed: a field is not of its type, or the frame is not UTF-8. Not
	// malformed is a number out of range.
	Malformed bool
	Message   string // for people; "": nothing is wrong
}

// Err reports whether anything is wrong.
func (f Fault) Err() bool { return f.Message != "" }

// note keeps the first fault, but a malformed one before one that is not.
func (f *Fault) note(malformed bool, message string) {
	if f.Message == "" || malformed && !f.Malformed {
		*f = Fault{malformed, message}
	}
}
