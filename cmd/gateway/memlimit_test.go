package main

import (
	"errors"
	"math"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryLimit(t *testing.T) {
	none := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	gigabyte := func() (uint64, error) { return 1 << 30, nil }
	broken := func() (uint64, error) { return 0, errors.New("no such file") }
	const share = 966367641 // 0.9 of 1 GiB
	for name, tc := range map[string]struct {
		env       env
		current   int64 // what the runtime read from GOMEMLIMIT
		container func() (uint64, error)
		sharing   int
		budget    byteSize
		want      int64
		from      string
		set       int64 // 0: left alone
		fails     bool
	}{
		"nothing":                  {nil, math.MaxInt64, none, 1, 0, math.MaxInt64, "none", 0, false},
		"no container":             {nil, math.MaxInt64, func() (uint64, error) { return 0, memlimit.ErrNoCgroup }, 1, 0, math.MaxInt64, "none", 0, false},
		"a container":              {nil, math.MaxInt64, gigabyte, 1, 0, share, "container", share, false},
		"GOMEMLIMIT wins":          {env{"GOMEMLIMIT": "5000"}, 5000, gigabyte, 1, 0, 5000, "GOMEMLIMIT", 0, false},
		"a budget":                 {nil, math.MaxInt64, none, 1, 100 << 20, 100 << 20, "FEEDGATE_MEMORY_BUDGET", 100 << 20, false},
		"a budget in a container":  {nil, math.MaxInt64, gigabyte, 1, 100 << 20, 100 << 20, "FEEDGATE_MEMORY_BUDGET", 100 << 20, false},
		"a budget above it":        {nil, math.MaxInt64, gigabyte, 1, 2 << 30, share, "container", share, false},
		"above GOMEMLIMIT":         {env{"GOMEMLIMIT": "5000"}, 5000, none, 1, 6000, 5000, "GOMEMLIMIT", 0, false},
		"below GOMEMLIMIT":         {env{"GOMEMLIMIT": "5000"}, 5000, none, 1, 4000, 4000, "FEEDGATE_MEMORY_BUDGET", 4000, false},
		"a quarter of all":         {env{"GOMEMLIMIT": "5000"}, 5000, none, 4, 0, 1250, "GOMEMLIMIT", 1250, false},
		"a quarter of nothing":     {nil, math.MaxInt64, none, 4, 0, math.MaxInt64, "none", 0, false},
		"a quarter of a container": {nil, math.MaxInt64, gigabyte, 4, 0, share / 4, "container", share / 4, false},
		"a budget of its own":      {nil, math.MaxInt64, gigabyte, 4, 100 << 20, 100 << 20, "FEEDGATE_MEMORY_BUDGET", 100 << 20, false},
		"unreadable":               {nil, math.MaxInt64, broken, 1, 4000, 4000, "FEEDGATE_MEMORY_BUDGET", 4000, true},
	} {
		t.Run(name, func(t *testing.T) {
			var set int64
			l := memoryLimiter{tc.sharing, tc.env.get, tc.container, func(n int64) int64 {
				if n >= 0 {
					set = n
				}
				return tc.current
			}}
			limit, from, err := l.limit(tc.budget)
			if limit != tc.want || from != tc.from || set != tc.set || (err != nil) != tc.fails {
				t.Errorf("limit %d from %s, set to %d, %v", limit, from, set, err)
			}
		})
	}
}

func TestByteSizes(t *testing.T) {
	for text, want := range map[string]byteSize{
		"0": 0, "1000000": 1e6, "10B": 10, "1500MiB": 1500 << 20, "1500mib": 1500 << 20, "1.5GiB": 3 << 29, "2GB": 2e9, "64 kB": 64000, "1TiB": 1 << 40,
	} {
		if cfg, _ := parsed(t, env{"FEEDGATE_MEMORY_BUDGET": text}); cfg.MemoryBudget != want {
			t.Errorf("%s: %d", text, cfg.MemoryBudget)
		}
	}
	for _, text := range []string{"MiB", "1500M", "1,5GiB", "NaN", "Inf", "1e30", "5 0MiB", "MiB5"} {
		if _, errs, code := runOnce(env{"FEEDGATE_MEMORY_BUDGET": text, "FEEDGATE_JWT_SECRET": testSecret}); code != exitUsage {
			t.Errorf("%s: code %d, %s", text, code, errs)
		}
	}
}
