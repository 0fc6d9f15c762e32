package seed

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedgate/feedgate/loadgen/graph"
)

const secret = "0123456789abcdef0123456789abcdef"

// server is as much of a server as seeding needs.
type server struct {
	mu        sync.Mutex
	following map[string][]string
	requests  int
	refuse    func(request int) int // a status instead of an answer; 0: none
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.refuse != nil {
		if status := s.refuse(s.requests); status != 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
			return
		}
	}
	claims := jwt.MapClaims{}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := jwt.ParseWithClaims(bearer, claims, func(*jwt.Token) (any, error) { return []byte(secret), nil }); err != nil || claims["scope"] != "service" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	user := r.Header.Get("Feedgate-User")
	if r.Method == "POST" {
		var in struct{ Users []string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || len(in.Users) == 0 || len(in.Users) > 1000 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, u := range in.Users {
			if !slices.Contains(s.following[user], u) {
				s.following[user] = append(s.following[user], u)
			}
		}
		w.Write([]byte(`{"since":"1"}`))
		return
	}
	slices.Sort(s.following[user])
	list := s.following[user]
	if before := r.URL.Query().Get("before"); before != "" {
		i, _ := slices.BinarySearch(list, before)
		list = list[i:]
	}
	next := ""
	if len(list) > 7 {
		list, next = list[:7], list[7]
	}
	json.NewEncoder(w).Encode(map[string]any{"users": list, "next": next})
}

func seeder(t *testing.T, s *server, g graph.Graph, key string) *Seeder {
	t.Helper()
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	x, err := New(Options{Servers: []string{ts.URL}, Secret: key, Graph: g, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func TestTheWholeGraphArrives(t *testing.T) {
	g := graph.Graph{Seed: 1, Users: 300, Following: 20}
	s := &server{following: map[string][]string{}, refuse: func(n int) int {
		return map[int]int{3: 503, 4: 429, 90: 500}[n]
	}}
	x := seeder(t, s, g, secret)
	if there, err := x.There(t.Context()); err != nil || there {
		t.Fatalf("before: %v, %v", there, err)
	}
	edges, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for u := range uint32(g.Users) {
		var want []string
		for _, a := range g.AppendFollowing(nil, u) {
			want = append(want, g.Name(a))
		}
		got := s.following[g.Name(u)]
		n += len(got)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("user %d follows %v, want %v", u, got, want)
		}
	}
	if n != edges {
		t.Errorf("%d follows, it says %d", n, edges)
	}
	if there, err := x.There(t.Context()); err != nil || !there {
		t.Errorf("afterwards: %v, %v", there, err)
	}
	delete(s.following, g.Name(uint32(g.Users-1)))
	if there, err := x.There(t.Context()); err != nil || there {
		t.Errorf("with one user's follows gone: %v, %v", there, err)
	}
}

func TestWhatIsRefusedForGoodEndsIt(t *testing.T) {
	g := graph.Graph{Seed: 1, Users: 50, Following: 5}
	x := seeder(t, &server{following: map[string][]string{}}, g, "another secret, also of 32 bytes.")
	if _, err := x.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong secret: %v", err)
	}
}
