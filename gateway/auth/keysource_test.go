package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/golang-jwt/jwt/v5"
)

// issuer is a key set's source under a test's hand, in synctest's time.
type issuer struct {
	mu    sync.Mutex
	doc   []byte
	err   error
	slow  time.Duration
	loads []time.Time
}

func (i *issuer) set(doc []byte, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.doc, i.err = doc, err
}

func (i *issuer) load(ctx context.Context) ([]byte, error) {
	i.mu.Lock()
	doc, err, slow := i.doc, i.err, i.slow
	i.loads = append(i.loads, time.Now())
	i.mu.Unlock()
	select {
	case <-time.After(slow):
		return doc, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.loads)
}

// start runs a keySource over the issuer, as for a URL.
func start(t *testing.T, i *issuer) *keySource {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := makeKeySource(quiet, metrics.NewSet())
	s.load, s.every, s.apart = i.load, urlEvery, urlApart
	s.refresh(ctx)
	go s.run(ctx)
	t.Cleanup(func() { cancel(); <-s.done })
	return s
}

func reasonOf(err error) Reason {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return Reason(fmt.Sprint(err))
}

func TestRotatedKeyIsFound(t *testing.T) {
	k := keys()
	before := jwks(t, jwk(t, "old", k.rsa, "", ""))
	after := jwks(t, jwk(t, "new", k.rsa2, "", ""))
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{doc: before, slow: 100 * time.Millisecond}
		s := start(t, i)
		time.Sleep(urlApart)
		i.set(after, nil)
		if _, err := s.find(t.Context(), "new", "RS256"); err != nil {
			t.Fatal("the refresh that an unknown kid asks for:", err)
		}
		if _, err := s.find(t.Context(), "old", "RS256"); reasonOf(err) != KeysUnavailable {
			t.Fatal("right after a refresh nothing definite can be said:", err)
		}
		time.Sleep(urlApart - unknownKeyWait/2) // a read is due soon: worth waiting for
		if _, err := s.find(t.Context(), "old", "RS256"); reasonOf(err) != UnknownKey {
			t.Fatal("a withdrawn key:", err)
		}
	})
}

func TestUnaskedRefresh(t *testing.T) {
	k := keys()
	before, after := jwks(t, jwk(t, "old", k.rsa, "", "")), jwks(t, jwk(t, "new", k.rsa2, "", ""))
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{doc: before}
		s := start(t, i)
		i.set(after, nil)
		time.Sleep(urlEvery)
		synctest.Wait()
		if s.lookup("new", "RS256") == nil || s.lookup("old", "RS256") != nil {
			t.Error("the set was not replaced after its interval")
		}
		if n := i.count(); n != 2 {
			t.Errorf("%d reads, want 2", n)
		}
	})
}

func TestForgedKidsHoldUpNobody(t *testing.T) {
	doc := fullSet(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{doc: doc, slow: 4 * time.Second} // an issuer in trouble
		s := start(t, i)
		begin := time.Now()
		var slowest atomic.Int64
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * 60 * time.Millisecond) // a minute in all
				asked := time.Now()
				if _, err := s.find(t.Context(), fmt.Sprint("forged", n), "RS256"); err == nil {
					t.Error("found a key that there is not")
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(asked))))
				if _, err := s.find(t.Context(), "r", "RS256"); err != nil {
					t.Error("a good key is not found any more:", err)
				}
			})
		}
		wg.Wait()
		if d := time.Duration(slowest.Load()); d > unknownKeyWait {
			t.Errorf("held up for %v", d)
		}
		if n, most := i.count(), int(time.Since(begin)/urlApart)+2; n > most {
			t.Errorf("%d reads in %v, want at most %d", n, time.Since(begin), most)
		}
	})
}

// A read that was under way when somebody asked may have missed the key.
func TestReadUnderWayIsNoProof(t *testing.T) {
	k := keys()
	before, after := jwks(t, jwk(t, "old", k.rsa, "", "")), jwks(t, jwk(t, "new", k.rsa2, "", ""))
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{doc: before, slow: 800 * time.Millisecond}
		s := start(t, i)
		time.Sleep(urlApart)
		go s.find(t.Context(), "forged", "RS256") // ends with its wait
		time.Sleep(400 * time.Millisecond)
		i.set(after, nil)
		if _, err := s.find(t.Context(), "new", "RS256"); reasonOf(err) != KeysUnavailable {
			t.Fatal("asked in the middle of a read:", err)
		}
		time.Sleep(urlApart + unknownKeyWait) // the next one was asked for
		if _, err := s.find(t.Context(), "new", "RS256"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWaitersAreBounded(t *testing.T) {
	doc := fullSet(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{doc: doc}
		s := start(t, i)
		time.Sleep(urlApart)
		i.mu.Lock()
		i.slow = 30 * time.Second
		i.mu.Unlock()
		begin := time.Now()
		var atOnce atomic.Int32
		var wg sync.WaitGroup
		for range 2 * maxWaiters {
			wg.Go(func() {
				s.find(t.Context(), "x", "RS256")
				if time.Since(begin) == 0 {
					atOnce.Add(1)
				}
			})
		}
		wg.Wait()
		if atOnce.Load() != maxWaiters {
			t.Errorf("%d refused at once, want %d", atOnce.Load(), maxWaiters)
		}
	})
}

func TestOutageKeepsTheKeys(t *testing.T) {
	doc := fullSet(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{err: errors.New("down")}
		s := start(t, i)
		if _, err := s.find(t.Context(), "r", "RS256"); reasonOf(err) != KeysUnavailable {
			t.Fatal("before the first set:", err)
		}
		i.set(doc, nil)
		time.Sleep(urlApart)
		synctest.Wait()
		if _, err := s.find(t.Context(), "r", "RS256"); err != nil {
			t.Fatal("not found after recovery:", err)
		}
		for _, trouble := range []struct {
			doc []byte
			err error
		}{{nil, errors.New("down")}, {doc[:len(doc)/2], nil}, {[]byte(`{"keys":[]}`), nil}, {[]byte("<html>"), nil}} {
			i.set(trouble.doc, trouble.err)
			time.Sleep(2 * urlEvery)
			if _, err := s.find(t.Context(), "r", "RS256"); err != nil {
				t.Fatal("keys lost in an outage:", err)
			}
			if _, err := s.find(t.Context(), "unknown", "RS256"); reasonOf(err) != KeysUnavailable {
				t.Fatal("an unknown key in an outage:", err)
			}
		}
	})
}

func TestFailedReadsComeSeldomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{err: errors.New("down")}
		start(t, i)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		i.mu.Lock()
		defer i.mu.Unlock()
		for n := 1; n < len(i.loads); n++ {
			want := min(retryFirst<<(n-1), retryMost)
			if d := i.loads[n].Sub(i.loads[n-1]); d != want {
				t.Errorf("pause %d is %v, want %v", n, d, want)
			}
		}
		if len(i.loads) < 9 {
			t.Errorf("only %d tries", len(i.loads))
		}
	})
}

func TestChangedFileIsReadAgain(t *testing.T) {
	k := keys()
	path := writeFile(t, jwks(t, jwk(t, "old", k.rsa, "", "")))
	v := newVerifier(t, Config{JWKS: path})
	token := sign(t, jwt.SigningMethodEdDSA, k.ed, map[string]any{"kid": "new"}, claims(nil))
	if err := os.WriteFile(path, jwks(t, jwk(t, "new", k.ed, "", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := v.Verify(t.Context(), token)
		if err == nil {
			return
		}
		if !IsRetryable(err) {
			t.Fatal(err)
		}
	}
}

func TestURL(t *testing.T) {
	doc := fullSet(t)
	token := sign(t, jwt.SigningMethodES256, keys().ec, map[string]any{"kid": "e"}, claims(nil))
	serve := func(h http.HandlerFunc) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL + "/jwks.json"
	}
	good := serve(func(w http.ResponseWriter, r *http.Request) { w.Write(doc) })
	for name, tc := range map[string]struct {
		url  string
		want Reason
	}{
		"good":      {good, ""},
		"redirect":  {serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, good, http.StatusFound) }), ""},
		"loop":      {serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }), KeysUnavailable},
		"not found": {serve(http.NotFound), KeysUnavailable},
		"too big": {serve(func(w http.ResponseWriter, r *http.Request) {
			w.Write(append(doc, bytes.Repeat([]byte(" "), maxKeyDoc)...))
		}), KeysUnavailable},
		"failing":    {serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); w.Write(doc) }), KeysUnavailable},
		"no JSON":    {serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") }), KeysUnavailable},
		"nobody":     {"http://127.0.0.1:1/jwks.json", KeysUnavailable},
		"no keys":    {serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"keys":[]}`) }), KeysUnavailable},
		"hangs up":   {serve(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }), KeysUnavailable},
		"cut in two": {serve(func(w http.ResponseWriter, r *http.Request) { w.Write(doc[:len(doc)/2]) }), KeysUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, newVerifier(t, Config{JWKS: tc.url}), token, tc.want)
		})
	}
}
