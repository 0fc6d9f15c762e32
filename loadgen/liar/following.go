package liar

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

func (s *Server) postFollowing(w http.ResponseWriter, r *http.Request) {
	var in struct{ Users []string }
	who := s.bearer(r)
	if who == "" || json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id()
	for _, author := range in.Users {
		s.follow(s.user(who), author, id)
	}
	w.Write([]byte(`{"since":"1"}`))
}

func (s *Server) follow(u *user, author string, since int64) {
	if _, there := u.follows[author]; there {
		return
	}
	u.follows[author] = since
	if s.fans[author] == nil {
		s.fans[author] = map[string]bool{}
	}
	s.fans[author][u.name] = true
}

func (s *Server) unfollow(u *user, author string) {
	delete(u.follows, author)
	delete(s.fans[author], u.name)
}

// getFollowing has one page: these are few.
func (s *Server) getFollowing(w http.ResponseWriter, r *http.Request) {
	who := s.bearer(r)
	s.mu.Lock()
	users := slices.Sorted(maps.Keys(s.user(who).follows))
	s.mu.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"users": users, "next": ""})
}
