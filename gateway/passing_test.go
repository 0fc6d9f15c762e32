package gateway

import (
	"net/http"
	"testing"

	"github.com/feedgate/feedgate/gateway/auth"
)

// TestOwnerOf says whose an upgrade is: the user's whom its token names, if any.
func TestOwnerOf(t *testing.T) {
	signer, err := auth.NewSigner("not the secret of the gateway, which does not matter", "", "")
	if err != nil {
		t.Fatal(err)
	}
	bearer := func(user string, service bool) string {
		token, err := signer.Mint(user, service, firstFrame)
		if err != nil {
			t.Fatal(err)
		}
		return "bearer " + token
	}
	owners := map[string]int{"alice": 2, "backend": 1}
	r := newRigOn(t, false, func(o *Options) {
		o.Passing = &Passing{Owner: func(user string) int { return owners[user] }}
	})
	for _, c := range []struct {
		header http.Header
		want   int
	}{
		{http.Header{"Authorization": {bearer("alice", false)}}, 2},
		{http.Header{"Authorization": {bearer("backend", true)}}, 1},
		{http.Header{"Authorization": {bearer("bob", false)}}, 0},
		{http.Header{"Authorization": {"Basic YTpi"}}, -1},
		{http.Header{"Authorization": {"Bearer a.b.c"}}, -1},
		{http.Header{"Authorization": {"Bearer"}}, -1},
		{http.Header{}, -1},
	} {
		if got := r.g.ownerOf(&http.Request{Header: c.header}); got != c.want {
			t.Errorf("%v is %d's, want %d", c.header, got, c.want)
		}
	}
	if r.g.refuses() {
		t.Error("it refuses from the start")
	}
	if r.g.Refuse(); !r.g.refuses() {
		t.Error("it takes connections while it drains")
	}
}
