package socket

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/coder/websocket"
)

func TestEcho(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.dial()
		p := r.peer()
		for i := range 100 {
			m := bytes.Repeat([]byte("x"), i*i*6) // across 125, 65535 and many reads
			copy(m, fmt.Sprint(i))
			if err := c.Write(t.Context(), websocket.MessageText, m); err != nil {
				t.Fatal(err)
			}
			typ, got, err := c.Read(t.Context())
			if err != nil || typ != websocket.MessageText || !bytes.Equal(got, m) {
				t.Fatalf("message %d: %v, %d bytes of %d, %v", i, typ, len(got), len(m), err)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
		if why := p.why(); why != ClosePeer {
			t.Fatalf("closed for %q", why)
		}
	})
}
