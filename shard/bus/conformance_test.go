package bus_test

import (
	"testing"

	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/bus/bustest"
)

func TestMemoryConforms(t *testing.T) {
	bustest.Run(t, func(*testing.T) bustest.World {
		hub := bus.NewHub(nil)
		return bustest.World{
			Join: func(*testing.T) bus.Bus { return hub.Join("node") },
			Down: func() { hub.SetDown(true) },
			Up:   func() { hub.SetDown(false) },
		}
	})
}

func TestRedisConforms(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.World {
		server := bustest.StartServer(t)
		return bustest.World{
			Join: func(t *testing.T) bus.Bus { return dial(t, server.URL()) },
			Down: server.Kill,
			Up:   server.Start,
		}
	})
}

func dial(t *testing.T, url string) bus.Bus {
	t.Helper()
	r, err := bus.DialRedis(bus.RedisOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
