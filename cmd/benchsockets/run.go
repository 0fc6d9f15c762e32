//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/feedgate/feedgate/gateway/auth"
)

// run is one measurement: the processes, and the table they fill.
type run struct {
	settings
	table table

	node    *node
	crowd   *child // the node's clients
	floor   *child
	control *child // the floor's clients
	secret  string
	before  memory
	frame   []byte // an event as a client got it
}

func measure(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "benchsockets")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &run{settings: s, secret: rand.Text() + rand.Text()}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.start(ctx, dir); err != nil {
		return err
	}
	for _, line := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"", r.connect},
		{"memory", r.idle},
		{"", r.meet},
		{"deliver", r.deliver},
		{"beat", r.beat},
		{"overload", r.overloaded},
		{"reconnect", r.reconnect},
		{"postgres", r.onPostgres},
		{"slow", r.among},
	} {
		if line.name != "" && !s.wants(line.name) {
			continue
		}
		if err := line.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", line.name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("%d connections, each following %d\n", s.conns, s.following)
	r.table.print(os.Stdout)
	return nil
}

// start seeds a database with a node of its own, and starts all processes.
func (r *run) start(ctx context.Context, dir string) error {
	signer, err := auth.NewSigner(r.secret, "", "")
	if err != nil {
		return err
	}
	service, err := signer.Mint("bench", true, time.Hour)
	if err != nil {
		return err
	}
	if err := r.populate(ctx, dir, service); err != nil {
		return err
	}
	if r.node, err = startNode(r.settings.node, dir, r.secret, service); err != nil {
		return err
	}
	for _, c := range []struct {
		at   **child
		role string
	}{{&r.crowd, roleClients}, {&r.floor, roleFloor}, {&r.control, roleClients}} {
		if *c.at, err = startChild(c.role); err != nil {
			return err
		}
	}
	return nil
}

// populate puts a seeded database into dir.
func (r *run) populate(ctx context.Context, dir, service string) error {
	if r.keep != "" {
		if err := os.CopyFS(dir, os.DirFS(r.keep)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	began := time.Now()
	seeder, err := startNode(r.settings.node, dir, r.secret, service)
	if err != nil {
		return err
	}
	err = seed(ctx, seeder, &r.settings)
	if err := errors.Join(err, seeder.stop()); err != nil {
		return err
	}
	progress("seeded %d users in %v", r.conns+r.slow, time.Since(began).Round(time.Millisecond))
	if r.keep == "" {
		return nil
	}
	return os.CopyFS(r.keep, os.DirFS(dir))
}

func (r *run) stop() error {
	for _, c := range []*child{r.crowd, r.control, r.floor} {
		if c != nil {
			c.stop()
		}
	}
	if r.node != nil {
		return r.node.stop()
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// cost is a process's CPU during do.
func cost(pid int, do func() error) (cpu, error) {
	before, err := cpuOf(pid)
	if err != nil {
		return cpu{}, err
	}
	if err := do(); err != nil {
		return cpu{}, err
	}
	after, err := cpuOf(pid)
	return after.minus(before), err
}

// connect opens all connections: handshake, token, attach, and a view that has to
// be loaded.
func (r *run) connect(context.Context) (err error) {
	if r.before, err = r.node.memory(); err != nil {
		return err
	}
	var opened report
	used, err := r.profiled("connect", func() (err error) {
		opened, err = r.crowd.do(r.open(0, r.conns, 0))
		return err
	})
	if err != nil {
		return err
	}
	per := used.total() / time.Duration(r.conns)
	r.table.add("connect, loaded from SQLite in the process: CPU", micros(per), "", "", "150 µs", per <= 150*time.Microsecond)
	r.table.note("  connects per second", fmt.Sprintf("%.0f", float64(r.conns)/opened.Took.Seconds()), "")
	return nil
}

func (r *run) open(from, n, buffer int) command {
	return command{Do: "open", URL: "ws://" + r.node.addr, Secret: r.secret, From: from, N: n, Rate: r.rate, Buffer: buffer, Hello: true, First: 0}
}

// profiled is cost of the node, with a CPU profile of the time when one is wanted.
func (r *run) profiled(name string, do func() error) (cpu, error) {
	if r.profile == "" {
		return cost(r.node.pid(), do)
	}
	if err := os.MkdirAll(r.profile, 0o755); err != nil {
		return cpu{}, err
	}
	saved := make(chan error, 1) // the one error
	go func() {
		b, err := r.node.get("/debug/pprof/profile?seconds=4")
		if err == nil {
			err = os.WriteFile(filepath.Join(r.profile, name+".cpu"), b, 0o644)
		}
		saved <- err
	}()
	used, err := cost(r.node.pid(), do)
	return used, errors.Join(err, <-saved)
}

// settles is how long it takes until all of the database's readers have noticed
// a commit.
const settles = 6 * time.Second

// idle is what the connections hold once all is quiet. The pages that SQLite
// keeps of the loading are the database's, not the connections': its readers
// forget them with the next commit, which comes from an author that nobody here
// follows.
func (r *run) idle(ctx context.Context) error {
	if err := r.node.post(ctx, flood, "a commit"); err != nil {
		return err
	}
	pause(ctx, settles)
	after, err := r.node.memory()
	if err != nil {
		return err
	}
	if r.profile != "" {
		b, err := r.node.get("/debug/pprof/heap")
		if err == nil {
			err = os.WriteFile(filepath.Join(r.profile, "idle.heap"), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	n := int64(r.conns)
	held := (after.HeapInuse + after.StackInuse - r.before.HeapInuse - r.before.StackInuse) / n
	rss := (after.rss - r.before.rss) / n
	r.table.add("idle: heap and stack per connection", kilo(held), "", "", "6 KB", held <= 6<<10)
	r.table.note("  of live objects", kilo((after.HeapAlloc-r.before.HeapAlloc)/n), "")
	r.table.add("idle: RSS per connection", kilo(rss), "", "", "8 KB", rss <= 8<<10)
	r.table.note("  RSS before and after", mega(r.before.rss)+", "+mega(after.rss), "")
	return clearPeak(r.node.pid())
}

// meet opens as many connections to the floor, and has a first post seen by all.
func (r *run) meet(ctx context.Context) error {
	where, err := r.floor.do(command{Do: "listen"})
	if err == nil {
		where, err = r.floor.do(command{Do: "where"})
	}
	if err != nil {
		return err
	}
	accepted := make(chan error, 1) // the one error
	go func() {
		_, err := r.floor.do(command{Do: "accept", N: r.conns})
		accepted <- err
	}()
	used, err := cost(r.floor.pid(), func() error {
		_, err := r.control.do(command{Do: "open", URL: where.URL, N: r.conns, Rate: r.rate, First: 64})
		return errors.Join(err, <-accepted)
	})
	if err != nil {
		return err
	}
	r.table.note("accept, read, answer, and no more: CPU", "", micros(used.total()/time.Duration(r.conns)))
	if _, _, err := r.postToAll(ctx); err != nil {
		return err
	}
	said, err := r.crowd.do(command{Do: "tell"})
	r.frame = frameOf(said.Sample)
	r.table.note("bytes of an event's frame", fmt.Sprint(len(r.frame)), fmt.Sprint(len(r.frame)))
	return err
}

// frameOf makes a server's text frame of a payload.
func frameOf(p []byte) []byte {
	if len(p) < 126 {
		return append([]byte{0x81, byte(len(p))}, p...)
	}
	return append([]byte{0x81, 126, byte(len(p) >> 8), byte(len(p))}, p...)
}

// postToAll publishes one post, and says how long the last client waited for it
// and what it cost the node.
func (r *run) postToAll(ctx context.Context) (last time.Duration, used cpu, err error) {
	if _, err := r.crowd.do(command{Do: "aim", N: r.conns}); err != nil {
		return 0, cpu{}, err
	}
	used, err = cost(r.node.pid(), func() error {
		began := now()
		if err := r.node.post(ctx, star, stamp(began)); err != nil {
			return err
		}
		done, err := r.crowd.do(command{Do: "await"})
		last = done.At - began
		return err
	})
	return last, used, err
}

// writeToAll has the floor's loop go round once.
func (r *run) writeToAll() (last time.Duration, used cpu, err error) {
	if _, err := r.control.do(command{Do: "aim", N: r.conns}); err != nil {
		return 0, cpu{}, err
	}
	used, err = cost(r.floor.pid(), func() error {
		wrote, err := r.floor.do(command{Do: "write", Frame: r.frame, Rounds: 1})
		if err != nil {
			return err
		}
		done, err := r.control.do(command{Do: "await"})
		last = done.At - wrote.At
		return err
	})
	return last, used, err
}
