package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/alecthomas/kong"
)

// process is what a command has from the outside world.
type process struct {
	Args   []string
	Getenv func(string) string
	Stdout io.Writer
	Stderr io.Writer
}

// cli is the command line.
type cli struct {
	Admin   string        `placeholder:"HOST:PORT" help:"Admin listener of any node ($FEEDGATE_ADMIN_ADDR; ${admin})."`
	JSON    bool          `help:"Print the answer as JSON."`
	Timeout time.Duration `default:"20s" help:"How long to wait for an answer."`

	Nodes   nodesCmd   `cmd:"" help:"Show the nodes and how they do."`
	Shards  shardsCmd  `cmd:"" help:"Show the shards: owner, epoch, head, residents, lag."`
	Drain   drainCmd   `cmd:"" help:"Have a node hand over its shards, close its sockets and end."`
	Move    moveCmd    `cmd:"" help:"Have a shard served by another node."`
	Explain explainCmd `cmd:"" help:"Tell what became of a post on its way to a user."`
	Check   checkCmd   `cmd:"" help:"Verify the invariants and the counters of all nodes."`
}

// defaultAdmin is where a node's admin listener is unless it was told otherwise.
const defaultAdmin = "127.0.0.1:8081"

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errUnwell says that the answer itself is the bad news.
var errUnwell = errors.New("not all is well")

// session is what commands run with.
type session struct {
	*client
	json bool
	out  io.Writer
}

// run is the program.
func run(ctx context.Context, p process) error {
	var c cli
	printed := false
	parser, err := kong.New(&c,
		kong.Name("feedctl"),
		kong.Description("Shows and steers a feedgate cluster. Exit codes: 0 done, or all is well; 1 failed; 2 usage; 3 something is not well."),
		kong.UsageOnError(),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { printed = true }),
		kong.Vars{"admin": defaultAdmin},
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(p.Args)
	switch {
	case printed:
		return nil
	case err != nil:
		return &usageError{err}
	}
	if c.Admin == "" {
		c.Admin = p.Getenv("FEEDGATE_ADMIN_ADDR")
	}
	if c.Admin == "" {
		c.Admin = defaultAdmin
	}
	to, err := newClient(c.Admin, c.Timeout)
	if err != nil {
		return &usageError{err}
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(&session{client: to, json: c.JSON, out: p.Stdout})
}
