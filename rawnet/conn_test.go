package rawnet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feedgate/feedgate/rawnet"
)

// pair is two ends of a connection, the first as Of makes it.
func pair(t *testing.T, network string) (net.Conn, net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = t.TempDir() + "/s"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := rawnet.Dialing(func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
	c, err := dial(t.Context(), network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); other.Close() })
	return c, other
}

// More than the kernel's buffers hold, both ways at once, arrives as it was sent.
func TestBothWays(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t, network)
			sent := make([]byte, 8<<20)
			rand.Read(sent)
			var wg sync.WaitGroup
			for _, ends := range [][2]net.Conn{{a, b}, {b, a}} {
				wg.Go(func() {
					if n, err := ends[0].Write(sent); n != len(sent) || err != nil {
						t.Errorf("wrote %d of %d: %v", n, len(sent), err)
					}
				})
				wg.Go(func() {
					got := make([]byte, len(sent))
					if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("read something else: %v", err)
					}
				})
			}
			wg.Wait()
			if n, err := a.Read(nil); n != 0 || err != nil {
				t.Errorf("reading nothing: %d, %v", n, err)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	t.Run("the peer's", func(t *testing.T) {
		a, b := pair(t, "tcp")
		b.Write([]byte("last"))
		b.Close()
		if got, err := io.ReadAll(a); string(got) != "last" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a reset", func(t *testing.T) {
		a, b := pair(t, "tcp")
		b.(*net.TCPConn).SetLinger(0)
		b.Close()
		_, err := a.Read(make([]byte, 1))
		var op *net.OpError
		if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" {
			t.Errorf("%v", err)
		}
		for range 2 {
			_, err = a.Write([]byte("x"))
		}
		if !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" {
			t.Errorf("%v", err)
		}
	})
	t.Run("our own, while we read", func(t *testing.T) {
		a, _ := pair(t, "tcp")
		ended := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(10 * time.Millisecond) // most likely it reads by now; if not, the outcome is the same
		a.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	a, b := pair(t, "tcp")
	late := func(err error) bool {
		var e net.Error
		return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &e) && e.Timeout()
	}
	a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.Read(make([]byte, 1)); !late(err) {
		t.Errorf("reading: %v", err)
	}
	a.SetReadDeadline(time.Time{})
	b.Write([]byte("x"))
	if n, err := a.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
	much := make([]byte, 64<<20) // which takes its time
	a.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := a.Write(much) // nobody reads it
	if !late(err) || n == 0 || n == 64<<20 {
		t.Errorf("writing: %d, %v", n, err)
	}
}

// What is no plain connection stays what it is.
func TestOfOthers(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if rawnet.Of(a) != a {
		t.Error("a pipe was wrapped")
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for name, of := range map[string]func(net.Conn) net.Conn{"raw": rawnet.Of, "net": func(c net.Conn) net.Conn { return c }} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() { // ends with the connection
				c, err := l.Accept()
				if err != nil {
					return
				}
				c = of(c)
				defer c.Close()
				io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			}()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			c = of(c)
			defer c.Close()
			p := make([]byte, 200)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
