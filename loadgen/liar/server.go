package liar

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedgate/feedgate/gateway/wire"
)

// Server is such a server.
type Server struct {
	lie    Lie
	secret []byte
	http   *http.Server
	addr   string
	wg     sync.WaitGroup

	mu        sync.Mutex
	users     map[string]*user // guarded by mu, as is all below
	fans      map[string]map[string]bool
	conns     map[*conn]bool
	keys      map[string]*wire.Post    // by user and idempotency key
	talks     map[string]*talk         // conversations, by their members
	sent      map[string]*wire.Message // by user and idempotency key
	lastID    int64
	delivered int // events so far
	told      bool
	victim    *user // of a lie that lasts
}

// user is a user's stream and what it is made of.
type user struct {
	name     string
	follows  map[string]int64 // since
	stream   string
	n        uint64
	v        uint64
	tail     []frame // all events so far
	posts    []*wire.Post
	mark     int64
	off      uint32        // a lie: added to the counter
	forgets  bool          // a lie: the read mark stays where it is
	hidden   int64         // a lie: an id that is not shown on pages
	slow     string        // a lie: an author whose next post does not come
	held     *wire.Post    // a lie: to be sent behind the next of its author
	late     []byte        // a lie: a frame to be sent behind the next
	talks    []*talk       // the user's conversations
	offTalk  uint32        // a lie: added to the counter of messages
	heldTalk *wire.Message // a lie: to be sent behind the next of its conversation
	ignored  string        // a lie: an author whose posts come although they are not followed any more
}

// frame is an event as it was first sent.
type frame struct {
	n    uint64
	body []byte
	post *wire.Post // nil: it is none
}

// New starts a server on a loopback port.
func New(lie Lie, secret string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		lie: lie, secret: []byte(secret), addr: l.Addr().String(),
		users: map[string]*user{}, fans: map[string]map[string]bool{}, conns: map[*conn]bool{}, keys: map[string]*wire.Post{},
		talks: map[string]*talk{}, sent: map[string]*wire.Message{},
	}
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/following", s.postFollowing)
	m.HandleFunc("GET /v1/following", s.getFollowing)
	m.HandleFunc("GET /v1/ws", s.socket)
	s.http = &http.Server{Handler: m}
	s.wg.Go(func() { s.http.Serve(l) }) // ends with Close
	return s, nil
}

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.addr }

// Told reports whether the lie was told.
func (s *Server) Told() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Close ends all sockets and waits for them.
func (s *Server) Close() {
	s.http.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.ws.CloseNow()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// tell reports whether a lie is to be told now, and notes that it was. s.mu is held.
func (s *Server) tell(lie Lie) bool {
	if s.told || s.lie != lie {
		return false
	}
	s.told = true
	return true
}

func (s *Server) user(name string) *user {
	u := s.users[name]
	if u == nil {
		u = &user{name: name, follows: map[string]int64{}, stream: "s" + strconv.Itoa(len(s.users))}
		s.users[name] = u
	}
	return u
}

// id is the next id: milliseconds, and a counter below them, like a real one's.
func (s *Server) id() int64 {
	s.lastID = max(s.lastID+1, time.Now().UnixMilli()<<12)
	return s.lastID
}

// unread is the feed's counter.
func (u *user) unread() (n uint32) {
	for _, p := range u.posts {
		if since, ok := u.follows[p.Author]; ok && p.ID > u.mark && p.ID > since {
			n++
		}
	}
	return n
}

func (u *user) counts() wire.Counts {
	c := wire.Counts{Feed: u.unread() + u.off, Messages: u.offTalk, V: u.v}
	for _, t := range u.talks {
		c.Messages += t.unread(u.name)
	}
	return c
}

// bearer is who a request is by, "" for nobody.
func (s *Server) bearer(r *http.Request) string {
	claims := jwt.MapClaims{}
	h := r.Header.Get("Authorization")
	if len(h) < 8 {
		return ""
	}
	if _, err := jwt.ParseWithClaims(h[7:], claims, func(*jwt.Token) (any, error) { return s.secret, nil }); err != nil {
		return ""
	}
	if as := r.Header.Get("Feedgate-User"); as != "" && claims["scope"] == "service" {
		return as
	}
	sub, _ := claims["sub"].(string)
	return sub
}
