package seed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/token"
)

// Options say what goes where.
type Options struct {
	Servers []string // http://host:port, taken in turn
	Secret  string
	Graph   graph.Graph
	Workers int                    // requests at a time; 64
	Done    func(users, edges int) // called after every user, by many goroutines; may be nil
}

// Seeder is a connection to servers.
type Seeder struct {
	opts  Options
	http  *http.Client
	token string
	edges atomic.Int64
	users atomic.Int64
}

// patience is for how long one user's request is tried.
const patience = 2 * time.Minute

// New makes a Seeder.
func New(o Options) (*Seeder, error) {
	if err := o.Graph.Validate(); err != nil {
		return nil, err
	}
	if len(o.Servers) == 0 {
		return nil, errors.New("seed: no server")
	}
	if o.Workers <= 0 {
		o.Workers = 64
	}
	t, err := token.Mint(o.Secret, "loadgen", true)
	if err != nil {
		return nil, err
	}
	return &Seeder{opts: o, token: t, http: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: o.Workers, MaxConnsPerHost: o.Workers},
	}}, nil
}

// Close lets connections go.
func (s *Seeder) Close() { s.http.CloseIdleConnections() }

// There reports whether the graph is on the server already, judging by some users.
func (s *Seeder) There(ctx context.Context) (bool, error) {
	g := s.opts.Graph
	for i := range 12 {
		u := uint32(uint64(i) * uint64(g.Users-1) / 11)
		want := g.AppendFollowing(nil, u)
		got, err := s.following(ctx, u)
		if err != nil {
			return false, err
		}
		slices.Sort(got)
		if !slices.Equal(want, got) {
			return false, nil
		}
	}
	return true, nil
}

// following is whom a user follows, as far as they are of the graph.
func (s *Seeder) following(ctx context.Context, u uint32) (following []uint32, err error) {
	path := "/v1/following?limit=100"
	for before := ""; ; {
		var page struct {
			Users []string `json:"users"`
			Next  string   `json:"next"`
		}
		if err := s.call(ctx, "GET", path+before, u, nil, &page); err != nil {
			return nil, err
		}
		for _, name := range page.Users {
			if a, err := s.opts.Graph.Index(name); err == nil {
				following = append(following, a)
			}
		}
		if page.Next == "" {
			return following, nil
		}
		before = "&before=" + url.QueryEscape(page.Next)
	}
}

// Run brings the whole graph to the servers and says how many follows that were.
func (s *Seeder) Run(ctx context.Context) (edges int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range s.opts.Workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				u := next.Add(1) - 1
				if u >= int64(s.opts.Graph.Users) {
					return
				}
				if err := s.user(ctx, uint32(u)); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return int(s.edges.Load()), context.Cause(ctx)
}

// maxUsers is how many one request may name, by the protocol.
const maxUsers = 1000

// user has one user follow whom the graph says.
func (s *Seeder) user(ctx context.Context, u uint32) error {
	following := s.opts.Graph.AppendFollowing(nil, u)
	for part := range slices.Chunk(following, maxUsers) {
		body := []byte(`{"users":[`)
		for i, a := range part {
			if i > 0 {
				body = append(body, ',')
			}
			body = append(s.opts.Graph.AppendName(append(body, '"'), a), '"')
		}
		if err := s.call(ctx, "POST", "/v1/following", u, append(body, "]}"...), nil); err != nil {
			return err
		}
	}
	edges := s.edges.Add(int64(len(following)))
	if users := s.users.Add(1); s.opts.Done != nil {
		s.opts.Done(int(users), int(edges))
	}
	return nil
}

// call makes a request for a user, again and again while the server says that it may
// succeed later.
func (s *Seeder) call(ctx context.Context, method, path string, u uint32, body []byte, into any) error {
	name := s.opts.Graph.Name(u)
	began := time.Now()
	for try := 0; ; try++ {
		server := s.opts.Servers[(int(u)+try)%len(s.opts.Servers)]
		wait, err := s.once(ctx, method, server+path, name, body, into)
		if err == nil {
			return nil
		}
		if wait < 0 || ctx.Err() != nil || time.Since(began) > patience {
			return fmt.Errorf("seed: %s %s for %s: %w", method, path, name, err)
		}
		t := time.NewTimer(wait + rand.N(100*time.Millisecond<<min(try, 5)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// once makes a request once. With an error comes how long to wait before it is made
// again; below zero: that would be no use.
func (s *Seeder) once(ctx context.Context, method, at, name string, body []byte, into any) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Feedgate-User", name)
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 without one
		return time.Duration(seconds) * time.Second, fmt.Errorf("%d %s", resp.StatusCode, strings.TrimSpace(string(answer)))
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return -1, fmt.Errorf("%d %s", resp.StatusCode, strings.TrimSpace(string(answer)))
	case into != nil:
		if err := json.Unmarshal(answer, into); err != nil {
			return -1, err
		}
	}
	return 0, nil
}
