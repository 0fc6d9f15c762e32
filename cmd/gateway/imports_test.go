package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/feedgate/feedgate"

// rule is a row of the design's table "Who may import whom". A package falls
// under the first rule that names it. A name that ends in /... takes in all below it too.
type rule struct {
	packages []string
	// own is what of this module may be imported, others what of other modules.
	own, others []string
	// tests is what of this module the packages' tests may import besides.
	tests []string
	// std is what of the standard library may be imported; nil: all of it.
	std []string
	// pure packages also keep no time and start no goroutine.
	pure bool
}

// withoutIO is the standard library as far as it neither reads nor writes
// anything but memory, and shares nothing between goroutines.
var withoutIO = []string{
	"bytes", "cmp", "container/heap", "container/list", "encoding/base64", "encoding/binary", "encoding/hex",
	"encoding/json", "errors", "fmt", "hash/maphash", "iter", "maps", "math", "math/bits", "slices", "sort", "strconv", "strings",
	"time", "unicode", "unicode/utf16", "unicode/utf8", "unsafe",
}

var importRules = []rule{
	{packages: []string{"feedengine"}, std: withoutIO, pure: true},
	{
		packages: []string{"storage/storagetest"},
		own:      []string{"feedengine", "migrations", "storage/..."},
		others:   []string{"github.com/google/go-cmp/...", "github.com/jackc/pgx/v5/...", "modernc.org/sqlite/...", "github.com/VictoriaMetrics/metrics"},
	},
	{packages: []string{"rawnet"}, others: []string{"golang.org/x/sys/..."}},
	{
		packages: []string{"storage/..."},
		own:      []string{"feedengine", "migrations", "storage/...", "rawnet"},
		others: []string{
			"github.com/jackc/pgx/v5/...", "modernc.org/sqlite/...", "github.com/VictoriaMetrics/metrics",
			"golang.org/x/sync/...", "golang.org/x/sys/...",
		},
	},
	{
		packages: []string{"migrations"},
		tests:    []string{"storage/storagetest"},
		others:   []string{"github.com/pressly/goose/v3/...", "github.com/jackc/pgx/v5/..."},
	},
	{
		packages: []string{"shard/bus/..."},
		own:      []string{"feedengine", "shard/...", "rawnet"},
		others:   []string{"github.com/cespare/xxhash/v2", "github.com/VictoriaMetrics/metrics", "github.com/redis/go-redis/v9/..."},
	},
	{
		packages: []string{"shard/storefake"},
		own:      []string{"feedengine"},
		tests:    []string{"storage", "storage/storagetest", "migrations"},
	},
	{
		packages: []string{"shard/..."},
		own:      []string{"feedengine", "shard/..."},
		others:   []string{"github.com/cespare/xxhash/v2", "github.com/VictoriaMetrics/metrics", "golang.org/x/sync/..."},
	},
	{packages: []string{"gateway/wire"}, std: withoutIO},
	{
		packages: []string{"gateway/auth"},
		own:      []string{"feedengine", "gateway/wire"},
		others: []string{
			"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset",
			"github.com/VictoriaMetrics/metrics", "golang.org/x/time/rate",
		},
	},
	{
		packages: []string{"gateway/socket"},
		own:      []string{"gateway/wire", "rawnet"},
		others:   []string{"github.com/coder/websocket", "github.com/VictoriaMetrics/metrics", "golang.org/x/sys/..."},
	},
	{packages: []string{"gateway/demo"}},
	{
		packages: []string{"gateway/login"},
		others:   []string{"golang.org/x/crypto/argon2", "github.com/VictoriaMetrics/metrics"},
	},
	{
		packages: []string{"gateway/..."},
		own:      []string{"feedengine", "gateway/..."},
		others:   []string{"github.com/coder/websocket", "github.com/VictoriaMetrics/metrics", "golang.org/x/time/rate"},
	},
	{
		packages: []string{"loadgen/..."},
		own:      []string{"gateway/wire", "loadgen/...", "rawnet"},
		others: []string{
			"github.com/coder/websocket", "github.com/cespare/xxhash/v2", "github.com/golang-jwt/jwt/v5", "golang.org/x/sys/...",
			"golang.org/x/sync/...", "golang.org/x/time/rate",
		},
	},
	{packages: []string{"cmd/..."}, own: []string{"..."}, others: []string{"..."}},
}

// testsMayAlso import these, whatever their package.
var testsMayAlso = []string{
	"github.com/google/go-cmp/...", "github.com/coder/websocket/...", "github.com/VictoriaMetrics/metrics",
	"github.com/golang-jwt/jwt/v5", "github.com/jackc/pgx/v5/...", "modernc.org/sqlite/...",
	"go.yaml.in/yaml/v3",
}

// matches reports whether a path falls under one of the patterns.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		stem, below := strings.CutSuffix(p, "...")
		return name == strings.TrimSuffix(stem, "/") || below && strings.HasPrefix(name, stem)
	})
}

// ruleFor is the rule for a package, given by its folder; nil when none names it.
func ruleFor(folder string) *rule {
	for i := range importRules {
		if matches(importRules[i].packages, folder) {
			return &importRules[i]
		}
	}
	return nil
}

// refuses says why a file of the rule's packages may not import a path, or "".
func (r *rule) refuses(imported string, test bool) string {
	first, _, _ := strings.Cut(imported, "/")
	own, isOwn := strings.CutPrefix(imported, module+"/")
	switch {
	case isOwn && !matches(r.own, own) && !(test && matches(r.tests, own)):
		return "is not among the packages that it may import"
	case isOwn:
		return ""
	case strings.Contains(first, "."):
		if !matches(r.others, imported) && !(test && matches(testsMayAlso, imported)) {
			return "is not among the modules that it may import"
		}
	case r.std != nil && !test && !slices.Contains(r.std, imported):
		return "is not among the parts of the standard library without I/O"
	}
	return ""
}

// TestWhoMayImportWhom holds every Go file of the module to the table.
func TestWhoMayImportWhom(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		seen[path.Dir(rel)] = true
		return checkImports(t, name, rel)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"feedengine", "storage", "shard", "gateway", "gateway/wire", "cmd/gateway"} {
		if !seen[folder] {
			t.Errorf("%s was not found: is the test still where the module's root is two folders up?", folder)
		}
	}
}

func checkImports(t *testing.T, name, rel string) error {
	r := ruleFor(path.Dir(rel))
	if r == nil {
		t.Errorf("%s: no rule says what %s may import", rel, path.Dir(rel))
		return nil
	}
	test := strings.HasSuffix(rel, "_test.go")
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		// An external test imports the package that it tests.
		if test && imported == module+"/"+path.Dir(rel) {
			continue
		}
		if why := r.refuses(imported, test); why != "" {
			t.Errorf("%s: %q %s", files.Position(spec.Pos()), imported, why)
		}
	}
	if r.pure && !test {
		checkPure(t, files, f)
	}
	return nil
}

// checkPure finds the ways in which a pure package could still read a clock or
// do something behind its caller's back.
func checkPure(t *testing.T, files *token.FileSet, f *ast.File) {
	clocks := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	prints := []string{"Print", "Printf", "Println", "Fprint", "Fprintf", "Fprintln", "Scan", "Scanf", "Scanln"}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a pure package starts no goroutine", files.Position(n.Pos()))
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			if pkg.Name == "time" && slices.Contains(clocks, n.Sel.Name) || pkg.Name == "fmt" && slices.Contains(prints, n.Sel.Name) {
				t.Errorf("%s: a pure package does not call %s.%s", files.Position(n.Pos()), pkg.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// TestImportRules holds the rules themselves to what the design says in words.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		test, allowed  bool
	}{
		{"feedengine", "os", false, false},
		{"feedengine", "sync", false, false},
		{"feedengine", "context", false, false},
		{"feedengine", "net", false, false},
		{"feedengine", "os", true, true},
		{"feedengine", "slices", false, true},
		{"feedengine", module + "/storage", true, false},
		{"shard", module + "/storage", false, false},
		{"shard", module + "/gateway/wire", false, false},
		{"shard", module + "/feedengine", false, true},
		{"shard", "github.com/redis/go-redis/v9", false, false},
		{"shard/bus", "github.com/redis/go-redis/v9", false, true},
		{"shard/bus/bustest", module + "/shard/bus", false, true},
		{"shard/link", "github.com/redis/go-redis/v9", false, false},
		{"shard/link", module + "/feedengine", false, true},
		{"shard/link", module + "/shard/bus", true, true},
		{"shard/link", module + "/storage", true, false},
		{"shard/route", module + "/shard/link", false, true},
		{"shard/route", module + "/gateway", true, false},
		{"shard/cluster", "github.com/redis/go-redis/v9", false, false},
		{"shard/cluster", module + "/shard/route", false, true},
		{"shard/cluster", module + "/storage", false, false},
		{"shard/sim", module + "/shard/cluster", false, true},
		{"shard/sim", module + "/gateway", true, false},
		{"shard/sim", module + "/storage/sqlite", true, false},
		{"gateway", module + "/shard", false, false},
		{"gateway", module + "/storage/sqlite", true, false},
		{"gateway", module + "/gateway/socket", false, true},
		{"gateway/wire", module + "/feedengine", false, false},
		{"gateway/wire", "io", false, false},
		{"storage/postgres", module + "/shard", false, false},
		{"storage/postgres", module + "/storage", false, true},
		{"storage/postgres", "github.com/jackc/pgx/v5/pgxpool", false, true},
		{"storage/postgres", "github.com/jackc/pgx/v5", false, true},
		{"loadgen", module + "/feedengine", false, false},
		{"loadgen", module + "/gateway/wire", false, true},
		{"cmd/gateway", module + "/shard", false, true},
		{"cmd/gateway", "github.com/alecthomas/kong", false, true},
	} {
		if got := ruleFor(c.from).refuses(c.imported, c.test) == ""; got != c.allowed {
			t.Errorf("%s imports %s (in a test: %v): allowed %v, want %v", c.from, c.imported, c.test, got, c.allowed)
		}
	}
	if ruleFor("util") != nil {
		t.Error("a folder that the design does not name has a rule")
	}
}
