package login

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func TestAttempts(t *testing.T) {
	a := NewAttempts(3, time.Minute)
	take := func(name string, at time.Duration, want time.Duration) {
		t.Helper()
		wait, ok := a.Take(name, noon.Add(at))
		if ok != (want == 0) || wait != want {
			t.Errorf("at %v: wait %v, %v; want %v", at, wait, ok, want)
		}
	}
	take("bob", 0, 0)
	take("bob", 0, 0)
	take("bob", 0, 0)
	take("bob", 0, time.Minute)
	take("ann", 0, 0)
	take("bob", 45*time.Second, 15*time.Second)
	take("bob", time.Minute, 0)
	take("bob", time.Minute, time.Minute)
	a.Return("bob", noon.Add(time.Minute)) // that one had the right password
	take("bob", time.Minute, 0)
	take("bob", time.Minute, time.Minute)
	a.Return("nobody", noon)

	a.Sweep(noon.Add(3 * time.Minute))
	if len(a.m) != 1 {
		t.Errorf("%d remembered, want bob", len(a.m))
	}
	a.Sweep(noon.Add(4 * time.Minute))
	if len(a.m) != 0 {
		t.Errorf("%d remembered, want nobody", len(a.m))
	}
}

// TestAttemptsAreBounded has an attacker name many accounts to have one forgotten.
func TestAttemptsAreBounded(t *testing.T) {
	a := NewAttempts(3, time.Hour)
	a.most = 100
	for range 3 {
		a.Take("victim", noon)
	}
	for i := range 10_000 {
		a.Take(fmt.Sprint("name", i), noon)
		if len(a.m) > 100 {
			t.Fatalf("%d remembered", len(a.m))
		}
	}
	if _, ok := a.Take("victim", noon); ok {
		t.Error("the victim's attempts were forgotten")
	}
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Network(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
