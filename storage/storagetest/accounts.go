package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func runAccounts(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Profiles", testProfiles},
		{"Unique", testUnique},
		{"Login", testLogin},
		{"LastSeen", testLastSeen},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

func testProfiles(t *testing.T, h Harness) {
	s := h.full(t, 4)
	ctx := t.Context()
	w := claim(t, s, "a", 1)
	alice := feedengine.Profile{
		User: "alice", Handle: "Al_1", Name: "Alice <b> \u202e", Avatar: "https://a", Email: "Al@x.org", Phone: "+4912345", Subject: "idp|1",
	}
	w.profile(alice)
	w.profile(feedengine.Profile{User: "bob"})
	w.profile(feedengine.Profile{User: "carol"}) // empty fields clash with none
	w.commit(t)
	for _, key := range []feedengine.ProfileKey{
		{User: "alice"}, {Handle: "al_1"}, {Handle: "AL_1"}, {Email: "aL@X.org"}, {Phone: "+4912345"}, {Subject: "idp|1"},
	} {
		got, err := s.Profile(ctx, key)
		if err != nil {
			t.Errorf("%+v: %v", key, err)
			continue
		}
		same(t, "profile", &alice, got)
	}
	for _, key := range []feedengine.ProfileKey{
		{}, {User: "Alice"}, {User: "nobody"}, {Handle: "al"}, {Email: "x"}, {Phone: "+1"}, {Subject: "IDP|1"}, {Handle: "al%"}, {Handle: "al__"},
	} {
		if got, err := s.Profile(ctx, key); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("%+v: %+v, %v, want ErrNotFound", key, got, err)
		}
	}
	list, err := s.Profiles(ctx, []string{"nobody", "carol", "alice", "alice"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "public parts", []feedengine.Profile{
		{User: "alice", Handle: alice.Handle, Name: alice.Name, Avatar: alice.Avatar}, {User: "carol"},
	}, list)
	for user, want := range map[string]string{"alice": alice.Name, "bob": "", "nobody": ""} {
		if got, err := s.Name(ctx, user); err != nil || got != want {
			t.Errorf("%s is called %q, %v", user, got, err)
		}
	}
	w.profile(feedengine.Profile{User: "alice", Name: "A"})
	w.commit(t)
	got, err := s.Profile(ctx, feedengine.ProfileKey{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "replaced", &feedengine.Profile{User: "alice", Name: "A"}, got)
}

// testUnique: what is another's is refused, and told before.
func testUnique(t *testing.T, h Harness) {
	s := h.full(t, 4)
	w := claim(t, s, "a", 1)
	full := feedengine.Profile{User: "alice", Handle: "Al", Email: "a@X", Phone: "+4912345", Subject: "s"}
	w.profile(full)
	w.commit(t)
	for _, c := range []struct {
		p     feedengine.Profile
		field string
	}{
		{feedengine.Profile{Handle: "aL"}, "handle"},
		{feedengine.Profile{Email: "A@x"}, "email"},
		{feedengine.Profile{Phone: "+4912345"}, "phone"},
		{feedengine.Profile{Subject: "s"}, "subject"},
		{feedengine.Profile{Handle: "free", Subject: "S"}, ""},
		{feedengine.Profile{}, ""},
	} {
		c.p.User = "bob"
		field, err := s.Taken(t.Context(), c.p)
		if err != nil || field != c.field {
			t.Errorf("%+v: taken %q, %v, want %q", c.p, field, err, c.field)
		}
		head := w.head
		w.profile(c.p)
		err = w.append(t)
		if c.field == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.p, err)
			}
			continue
		}
		if !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("%+v: %v, want ErrRefused", c.p, err)
		}
		w.head = head
	}
	if field, err := s.Taken(t.Context(), full); err != nil || field != "" {
		t.Errorf("one's own: taken %q, %v", field, err)
	}
}

// testLogin: a password belongs to a profile and outlives its changes.
func testLogin(t *testing.T, h Harness) {
	s := h.full(t, 4)
	ctx := t.Context()
	w := claim(t, s, "a", 1)
	w.profile(feedengine.Profile{User: "alice", Email: "A@x.org", Phone: "+4912345"})
	w.profile(feedengine.Profile{User: "bob"})
	w.commit(t)
	expect := func(hash string) {
		t.Helper()
		for _, key := range []feedengine.ProfileKey{{Email: "a@X.ORG"}, {Phone: "+4912345"}} {
			got, err := s.Login(ctx, key)
			if err != nil || got != (feedengine.Credentials{User: "alice", Hash: hash}) {
				t.Errorf("%+v: %+v, %v", key, got, err)
			}
		}
	}
	expect("")
	if err := s.SetPassword(ctx, "alice", "$argon2id$1"); err != nil {
		t.Fatal(err)
	}
	expect("$argon2id$1")
	w.profile(feedengine.Profile{User: "alice", Email: "a@x.org", Phone: "+4912345", Name: "A"})
	w.commit(t)
	expect("$argon2id$1")
	for _, key := range []feedengine.ProfileKey{{}, {Email: "b"}, {Phone: "+1"}, {User: "alice"}} {
		if got, err := s.Login(ctx, key); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("%+v: %+v, %v, want ErrNotFound", key, got, err)
		}
	}
	if err := s.SetPassword(ctx, "nobody", "x"); !errors.Is(err, feedengine.ErrNotFound) {
		t.Errorf("a password of nobody: %v, want ErrNotFound", err)
	}
}

// testLastSeen: it never goes back.
func testLastSeen(t *testing.T, h Harness) {
	s := h.full(t, 4)
	ctx := t.Context()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for _, seen := range [][]feedengine.LastSeen{
		{{User: "bob", At: at}, {User: "alice", At: at}, {User: "bob", At: at.Add(-time.Hour)}},
		{{User: "alice", At: at.Add(-time.Hour)}, {User: "bob", At: at.Add(time.Hour)}},
		nil,
	} {
		if err := s.SawUsers(ctx, seen); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.LastSeen(ctx, []string{"nobody", "bob", "alice", "bob"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "last seen", []feedengine.LastSeen{{User: "alice", At: at}, {User: "bob", At: at.Add(time.Hour)}}, got)
}
