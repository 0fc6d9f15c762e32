package login

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/VictoriaMetrics/metrics"
)

func TestHashRoundTrip(t *testing.T) {
	h, ctx := NewHasher(metrics.NewSet()), context.Background()
	hash, err := h.Hash(ctx, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false, "Correct horse": false} {
		if got, err := h.Matches(ctx, hash, password); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	again, err := h.Hash(ctx, "correct horse")
	if err != nil || again == hash {
		t.Errorf("twice the same salt: %s, %v", again, err)
	}
}

// TestForeignHash takes one that the reference implementation made, of other params
// than ours: echo -n password | argon2 somesalt -id -t 1 -k 64 -p 1 -l 24 -e (the
// figures stand in x/crypto's tests, too).
func TestForeignHash(t *testing.T) {
	const hash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0m4Rpvh/bnCi7"
	h := NewHasher(metrics.NewSet())
	for password, want := range map[string]bool{"password": true, "differentpassword": false} {
		if ok, err := h.Matches(context.Background(), hash, password); ok != want || err != nil {
			t.Errorf("%s: %v, %v", password, ok, err)
		}
	}
}

func TestUnreadableHashes(t *testing.T) {
	h := NewHasher(metrics.NewSet())
	var hashed []params
	h.key = func(p params, _ string, _ []byte, n int) []byte {
		hashed = append(hashed, p)
		return make([]byte, n)
	}
	const tail = "$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, hash := range []string{
		"x", "plaintext-password", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=1024,t=2,p=1" + tail,
		"$argon2id$v=16$m=1024,t=2,p=1" + tail, "$argon2id$v=19$m=99999999,t=2,p=1" + tail,
		"$argon2id$v=19$m=1024,t=0,p=1" + tail, "$argon2id$v=19$m=1024,t=200,p=1" + tail,
		"$argon2id$v=19$m=1024,t=2,p=0" + tail, "$argon2id$v=19$m=1024,t=2,p=200" + tail,
		"$argon2id$v=19$m=1024,t=2,p=1,x=3" + tail, "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=1024,t=2,p=1$$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$!!!!",
	} {
		hashed = nil
		if ok, err := h.Matches(context.Background(), hash, ""); ok || err == nil {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
		if len(hashed) != 1 || hashed[0] != current { // it costs as much as nobody's
			t.Errorf("%s: hashed with %v", hash, hashed)
		}
	}
	if ok, err := h.Matches(context.Background(), "$argon2id$v=19$m=1024,t=2,p=1"+tail, "x"); !ok || err != nil {
		t.Errorf("a readable one: %v, %v", ok, err)
	}
}

// TestNobodyMatchesNothing holds that the hash of nobody has no password, even if
// somebody should find one.
func TestNobodyMatchesNothing(t *testing.T) {
	h := NewHasher(metrics.NewSet())
	h.key = func(params, string, []byte, int) []byte { return h.nobody.hash }
	if ok, err := h.Matches(context.Background(), "", "guessed"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// TestHasherIsBounded has many more ask than may: so many hash, so many wait, and
// the others are refused at once.
func TestHasherIsBounded(t *testing.T) {
	h := NewHasher(metrics.NewSet())
	n := max(1, runtime.GOMAXPROCS(0)/2)
	entered, let := make(chan struct{}, 1000), make(chan struct{})
	h.key = func(_ params, _ string, _ []byte, bytes int) []byte {
		entered <- struct{}{}
		<-let
		return make([]byte, bytes)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	const asking = 500
	for range asking {
		wg.Go(func() {
			_, err := h.Hash(context.Background(), "x")
			errs <- err
		})
	}
	for range asking - n*(1+waiting) { // all those beyond are refused while nobody is done
		if err := <-errs; !errors.Is(err, ErrBusy) {
			t.Errorf("one beyond: %v", err)
		}
	}
	for range n {
		<-entered
	}
	select {
	case <-entered:
		t.Errorf("more than %d at a time", n)
	default:
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	close(let)
	wg.Wait()
	for range n * (1 + waiting) {
		if err := <-errs; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
	for range n {
		h.going <- struct{}{}
	}
	if _, err := h.Hash(gone, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("one that does not wait: %v", err)
	}
}
