package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// process is what a command has from the outside world. Ready, if not nil, is
// called once the listeners of serve are open.
type process struct {
	Args   []string
	Getenv func(string) string
	Stdout io.Writer
	Stderr io.Writer
	Ready  func(Addrs)
}

// cli is the command line.
type cli struct {
	Settings settings `embed:""`

	Serve   serveCmd         `cmd:"" default:"1" help:"Run a node (the default)."`
	Migrate migrateCmd       `cmd:"" help:"Bring the database's tables up to this binary, and end."`
	Token   tokenCmd         `cmd:"" help:"Print a token for a user, signed with FEEDGATE_JWT_SECRET."`
	Version kong.VersionFlag `help:"Print the version."`
}

type (
	serveCmd   struct{}
	migrateCmd struct{}
	tokenCmd   struct {
		User    string        `required:"" placeholder:"U" help:"Whose token."`
		Service bool          `help:"A service token: it may act for anybody."`
		TTL     time.Duration `default:"24h" help:"How long it is good for."`
	}
)

// settings is a Config without its methods: kong would call Validate before
// settle has filled in the rest.
type settings Config

// usageError is a mistake in flags or settings.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// run is the program: it parses, and runs the command until it is done or ctx
// ends.
func run(ctx context.Context, p process) error {
	var c cli
	cfg, command, err := parse(&c, p)
	if err != nil {
		return &usageError{err}
	}
	switch command {
	case "": // --help or --version, which have been printed
		return nil
	case "migrate":
		return migrate(ctx, cfg, p)
	case "token":
		return printToken(cfg, &c.Token, p)
	}
	if err := cfg.Validate(); err != nil {
		return &usageError{err}
	}
	return serve(ctx, cfg, p)
}

func parse(c *cli, p process) (cfg *Config, command string, err error) {
	printed := false
	parser, err := kong.New(c,
		kong.Name("gateway"),
		kong.Description("feedgate: a realtime feed gateway. Every setting is a flag and an environment variable; a flag wins."),
		kong.UsageOnError(),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { printed = true }),
		kong.Vars{"version": version()},
		kong.ValueFormatter(withVariable),
		kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			return fromEnv(flag, p.Getenv), nil
		})),
	)
	if err != nil {
		return nil, "", err
	}
	parsed, err := parser.Parse(p.Args)
	if printed {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	cfg = (*Config)(&c.Settings)
	cfg.settle(p.Getenv)
	return cfg, parsed.Command(), nil
}

// variables are the environment variables of a setting, the first one's name first.
func variables(tag *kong.Tag) []string {
	return strings.FieldsFunc(tag.Get("setting"), func(r rune) bool { return r == ',' })
}

func fromEnv(flag *kong.Flag, getenv func(string) string) any {
	for _, name := range variables(flag.Tag) {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return nil
}

// withVariable is a flag's help with its variables.
func withVariable(value *kong.Value) string {
	names := variables(value.Tag)
	if len(names) == 0 {
		return value.Help
	}
	return fmt.Sprintf("%s ($%s)", value.Help, strings.Join(names, ", $"))
}

// version is the module's, with the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "feedgate (unknown version)"
	}
	v := "feedgate " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v + " " + info.GoVersion
}

var errNoSecret = errors.New("set FEEDGATE_JWT_SECRET to the secret of the node that the token is for")
