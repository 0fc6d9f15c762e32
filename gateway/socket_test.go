package gateway

import (
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

func TestConnect(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:u42","resume":{"stream":"a9f3","n":1042},"feed":20}`)
	c.want(`{"re":1,"ok":{"user":"u42","stream":"b1","n":7,"resumed":false,"replay":0,` +
		`"unread":{"feed":4,"notifications":0,"messages":0,"v":9},"heartbeat_ms":25000,` +
		`"feed":{"posts":[{"id":"7000000001","author":"alice","kind":"post","text":"hi",` +
		`"at":"` + testID.Time().Format("2006-01-02T15:04:05.000Z") + `","likes":0,"comments":0}],"next":"5"}}}`)
	a := find[feedengine.Attach](t, r.shards)
	if a.Page != 20 || a.Resume == nil || *a.Resume != (feedengine.Resume{Stream: 0xa9f3, N: 1042}) {
		t.Errorf("the shard was asked %+v", a)
	}
}
