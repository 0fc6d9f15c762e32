package sqlite

import (
	"database/sql/driver"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// big are the tables that grow with use.
var big = []string{
	"posts", "log", "follows", "keys", "marks", "waypoints",
	"hides", "likes", "comments", "notes", "conversations", "members", "messages", "jobs", "searches", "profiles", "seen",
}

// TestPlans asks the planner about every statement there is and fails on one
// that reads a big table whole, be it by an index.
func TestPlans(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	for q, text := range queries {
		if text == "" {
			t.Errorf("query %d has no text", q)
			continue
		}
		if strings.Contains(text, "job_text") {
			continue // it is a table of one row in a database of its own
		}
		for _, step := range plan(t, s, text) {
			if table := scanned(text, step); table != "" {
				t.Errorf("query %d reads all of %s (%s):\n%s", q, table, step, text)
			}
		}
	}
}

// TestPlansFindScans shows that TestPlans would notice.
func TestPlansFindScans(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	for text, want := range map[string]string{
		`SELECT count(*) FROM posts`:                                           "posts",
		`SELECT p.id FROM posts p WHERE p.text = 'x'`:                          "posts",
		`SELECT f.author FROM shards s, follows AS f WHERE f.since = s.epoch`:  "follows",
		`SELECT id FROM posts WHERE deleted = 0 ORDER BY author`:               "posts",
		`DELETE FROM keys WHERE hash = 'x'`:                                    "keys",
		`SELECT n.id FROM notes n WHERE n.post = 1`:                            "notes",
		`SELECT rowid FROM job_words`:                                          "job_words",
		`SELECT rowid FROM job_words WHERE job_words MATCH 'x'`:                "",
		`SELECT p.id FROM posts p WHERE p.author = 'x' AND p.deleted = 0`:      "",
		`SELECT value FROM settings`:                                           "",
		`SELECT l.id FROM json_each('[1]') k CROSS JOIN log l ON l.id=k.value`: "",
	} {
		got := ""
		for _, step := range plan(t, s, text) {
			if table := scanned(text, step); table != "" {
				got = table
			}
		}
		if got != want {
			t.Errorf("%s: found a scan of %q, want %q: %q", text, got, want, plan(t, s, text))
		}
	}
}

// scanned is the big table that a plan's step reads whole, "" for none.
func scanned(text, step string) string {
	name := regexp.MustCompile(`^(?:SCAN|SEARCH) (\S+)`).FindStringSubmatch(step)
	// Of a full-text table, index 0 without a constraint is all its rows.
	// (ext/fts5/fts5_main.c, fts5BestIndexMethod)
	if strings.HasSuffix(step, "VIRTUAL TABLE INDEX 0:") && strings.Contains(step, "job_words") {
		return "job_words"
	}
	if name == nil || strings.HasPrefix(step, "SEARCH") && !strings.Contains(step, "AUTOMATIC") {
		return "" // an automatic index is made of all the table's rows
	}
	for _, table := range big {
		alias := regexp.MustCompile(`\b` + table + `( AS)? ` + regexp.QuoteMeta(name[1]) + `\b`)
		if name[1] == table || alias.MatchString(text) {
			return table
		}
	}
	return ""
}

// plan is what EXPLAIN QUERY PLAN says of a statement.
func plan(t testing.TB, s *Store, text string) (steps []string) {
	t.Helper()
	c, err := openConn(t.Context(), dsn(s.files.path(), "rw", readerPragmas))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	stmt, err := c.raw.Prepare("EXPLAIN QUERY PLAN " + text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	defer stmt.Close()
	var args []driver.NamedValue
	for len(args) < strings.Count(text, "?") { // more than enough
		args = append(args, driver.NamedValue{Ordinal: len(args) + 1})
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(t.Context(), args)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	defer rows.Close()
	row := make([]value, len(rows.Columns()))
	for rows.Next(row) == nil {
		steps = append(steps, row[3].(string))
	}
	return steps
}

// TestNoOtherSQL keeps SQL from being written where TestPlans does not see it.
func TestNoOtherSQL(t *testing.T) {
	sql := regexp.MustCompile(`^\s*(WITH|SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|ATTACH|VACUUM|BEGIN|COMMIT|ROLLBACK)\b`)
	found := 0
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || !sql.MatchString(strings.Trim(lit.Value, "`\"")) {
				return true
			}
			found++
			if file.Name() != "queries.go" {
				t.Errorf("%s has SQL of its own: %s", file.Name(), lit.Value)
			}
			return true
		})
	}
	const composed = 10 // of the ways into the jobs board and to a profile all but one each, and what is hiding
	if found < len(queries)-composed {
		t.Errorf("found %d statements, and queries has %d: the test shows nothing", found, len(queries))
	}
}
