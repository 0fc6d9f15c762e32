package postgres

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/storage/storagetest"
)

// bigTables are those that grow with use. settings and shards do not.
var bigTables = []string{
	"log", "posts", "follows", "marks", "keys", "hides", "likes", "comments", "notes",
	"conversations", "members", "messages", "jobs", "searches", "profiles", "seen",
}

// fill gives every big table enough rows for the planner to care.
var fill = []string{
	`INSERT INTO settings VALUES ('shards', '256')`,
	`INSERT INTO shards (shard) SELECT generate_series(0, 255)`,
	`INSERT INTO log SELECT g % 256, g / 256 + 1, 1, g, 1, 'u' || g % 5000, '{}' FROM generate_series(1, 60000) g`,
	`INSERT INTO posts (id, author, kind, text, deleted)
	 SELECT g, 'u' || g % 5000, 'post', repeat('x', 100), g % 50 = 0 FROM generate_series(1, 60000) g`,
	`INSERT INTO follows SELECT 'u' || g % 5000, 'u' || (g / 5000 * 37 + g) % 5000, g FROM generate_series(1, 60000) g ON CONFLICT DO NOTHING`,
	`INSERT INTO marks SELECT 'u' || g, 1, g FROM generate_series(1, 20000) g`,
	`INSERT INTO keys SELECT 'u' || g, 'publish', 'k' || g, '\x00', g FROM generate_series(1, 30000) g`,
	`INSERT INTO hides SELECT 'u' || g % 5000, 'u' || g % 4999, 1 + g % 3 FROM generate_series(1, 20000) g ON CONFLICT DO NOTHING`,
	`INSERT INTO likes SELECT g % 20000, 'u' || g % 5001, g, g % 10000 FROM generate_series(1, 60000) g ON CONFLICT DO NOTHING`,
	`INSERT INTO comments SELECT g, g % 20000, 'u' || g % 5000, 'x' FROM generate_series(1, 40000) g`,
	`INSERT INTO notes SELECT 'u' || g % 5000, g, (ARRAY['like', 'comment', 'follow'])[1 + g % 3], 'u' || g % 4999, g % 20000, 0 FROM generate_series(1, 60000) g`,
	`INSERT INTO conversations SELECT g, sha256(g::text::bytea), g * 10 FROM generate_series(1, 20000) g`,
	`INSERT INTO members SELECT 1 + g % 20000, 'u' || g % 4999, g, g FROM generate_series(1, 60000) g ON CONFLICT DO NOTHING`,
	`INSERT INTO messages SELECT g, 1 + g % 20000, 'u' || g % 4999, 'x' FROM generate_series(1, 100000) g`,
	`INSERT INTO jobs SELECT g, 'u' || g % 5000, 'c' || g % 20, 'l' || g % 300, g, g, 'EUR', CASE WHEN g % 3 = 0 THEN now() END,
		to_tsvector('english', 'word' || g % 100 || ' word' || g % 37 || ' text ' || g) || array_to_tsvector(ARRAY['=c:c' || g % 20, '=l:l' || g % 300])
		FROM generate_series(1, 30000) g`,
	`INSERT INTO searches SELECT g, 'u' || g % 5000, 'x', '{}', (ARRAY['', 'c1', 'c2', 'c3', 'c4'])[1 + g % 5], 'l' || g % 300, 0, 0, '', plainto_tsquery('word' || g % 100)
		FROM generate_series(1, 30000) g`,
	`INSERT INTO profiles SELECT 'u' || g, 'h' || g, 'x', '', 'e' || g, '+' || g, 's' || g FROM generate_series(1, 30000) g`,
	`INSERT INTO seen SELECT 'u' || g, now() FROM generate_series(1, 30000) g`,
	`VACUUM ANALYZE`,
}

// list is an array literal of n elements.
func list(n int, element func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = element(i + 1)
	}
	return "'{" + strings.Join(parts, ",") + "}'"
}

// arguments gives every query of queries its arguments, with arrays of n.
func arguments(n int) map[string][]string {
	numbers := list(n, func(i int) string { return fmt.Sprint(i) })
	fresh := list(n, func(i int) string { return fmt.Sprint(1_000_000 + i) })
	shards := list(min(n, 256), func(i int) string { return fmt.Sprint(i - 1) })
	users := list(n, func(i int) string { return fmt.Sprintf("u%d", i) })
	hashes := list(n, func(i int) string { return fmt.Sprintf(`\\x%08x`, i) })
	flags := list(n, func(int) string { return "true" })
	times := list(n, func(int) string { return "2026-01-01" })
	newest := []string{"'u7'", "'c1'", "'l7'", "5", "50000", "false", "now()", "'EUR'", "50000", "21", "NULL"}
	return map[string][]string{
		"Durable": {}, "Encoding": {}, "MakeShards": {}, "Writable": {}, "Patience": {}, "Heads": {},
		"Setting": {"'shards'"}, "Set": {"'shards'", "'256'"},

		"Fence":       {shards, shards},
		"Unbroken":    {shards, shards},
		"InsertLog":   {numbers, fresh, numbers, fresh, numbers, users, users},
		"InsertKeys":  {users, users, users, hashes, numbers, "20000"},
		"InsertPosts": {fresh, users, users, users, numbers, numbers, flags, users},
		"ChangePosts": {numbers, flags, users, flags, users, numbers, numbers, flags},
		"Unfollow":    {users, users},
		"Follow":      {users, users, numbers},
		"MergeMarks":  {users, numbers, numbers},

		"InsertComments": {fresh, numbers, users, users}, "Unlike": {numbers, users}, "Like": {numbers, users, numbers, numbers},
		"InsertNotes": {users, numbers, users, users, numbers, numbers}, "DeleteNotes": {users, numbers},
		"DeletePostNotes": {numbers}, "Show": {users, users, numbers}, "Hide": {users, users, numbers},
		"OpenConversations": {fresh, hashes, numbers}, "InsertMembers": {fresh, users},
		"InsertMessages": {fresh, numbers, users, users, numbers, users}, "TouchConversations": {numbers, numbers},
		"MergeSeen": {numbers, users, numbers, numbers}, "LockProfiles": {},
		"PutProfiles": {users, users, users, users, users, users, users}, "DropJobs": {numbers},
		"PutJobs": {fresh, users, users, users, numbers, numbers, users, times, users, users, users, users},

		"LockShards": {shards}, "Claim": {shards, shards, "'n1'"}, "EndOwners": {"1", shards, shards}, "Owners": {},

		"Beat":  {"'n1'", "1", "true", "true", "2", "''", "''", "now()"},
		"Leave": {"'n1'", "1"}, "ForgetNodes": {}, "Clock": {}, "Members": {},

		"ReadLogs": {shards, numbers, "1000"},
		"Keys":     {users, users, users, "20000"},
		"TrimLog":  {"20000", "64", "4096"}, "TrimKeys": {"20000", "4096"},

		"Follows": {users}, "Unread": {users, "200", "9999"}, "Pages": {users, numbers},
		"Followed": {"'u7'", users}, "Degree": {"'u7'"}, "Post": {"77"},

		"Feed": {"'u7'", "50000", "21"}, "Following": {"'u7'", "''", "100"}, "Followers": {"'u7'", "''", "100"},

		"PostFor": {"'u7'", "77"}, "Name": {"'u7'"}, "Liked": {"'u7'", "77"}, "LikesNote": {"77"}, "LikesOf": {"'u7'", "77"},
		"Told": {"77"}, "Conversation": {"'u7'", "77"}, "ByKey": {"'u7'", `'\\x00'`}, "Replied": {"77", "77", "'u7'"},
		"Senders": {"'u7'", "77", "1", "50000", "256"}, "Blocked": {"'u7'", users}, "Hides": {"'u7'", "'u8'", "1"},
		"Taken":  {"'u7'", "'h7'", "'e7'", "'+7'", "'s7'"},
		"Alerts": {"'u7'", "'c1'", "'l7'", "10", "20", "'EUR'", "'word7'", "'l7 c1'", "'text'", "10000"},

		"Comments": {"'u7'", "77", "50000", "21"}, "Notes": {"'u7'", "50000", "21"},
		"Conversations": {"'u7'", "500000", "21", "9999"}, "Messages": {"'u7'", "77", "500000", "21"},
		"Seen": {"'u7'", "77"}, "MembersOf": {"'u7'", "77"}, "Hidden": {"'u7'", "1", "''", "100"}, "Acquainted": {"'u7'", users},

		"ScanBitmaps": {},
		"JobsByWords": {"'u7'", "'word7 word8'", "'''=c:c1'' & ''=l:l7'''", "5", "50000", "false", "now()", "1e30", "50000", "21", "NULL"},
		"JobsNewest":  newest, "JobsOfCategory": newest, "JobsAtLocation": newest, "JobsOfBoth": newest, "Searches": {"'u7'"},

		"ByUser": {"'u7'"}, "ByHandle": {"'h7'"}, "ByEmail": {"'e7'"}, "ByPhone": {"'+7'"}, "BySubject": {"'s7'"},
		"Profiles": {users}, "LoginByEmail": {"'e7'"}, "LoginByPhone": {"'+7'"}, "LastSeen": {users}, "LockSearches": {"'u7'"},
		"SaveSearch": {"1000000", "'u7'", "'x'", "'{}'", "''", "''", "0", "0", "''", "'word7'", "50"},
		"DropSearch": {"'u7'", "7"}, "SetPassword": {"'u7'", "'x'"}, "SawUsers": {users, times},
	}
}

// TestPlans explains every query the package has, as it is planned for given
// arguments and as it is planned once for all.
func TestPlans(t *testing.T) {
	url := storagetest.Postgres(t)
	if err := Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, text := range fill {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}

	texts := reflect.ValueOf(q)
	for i := range texts.NumField() {
		name, text := texts.Type().Field(i).Name, texts.Field(i).String()
		if text == "" {
			t.Errorf("%s has no text", name)
			continue
		}
		if _, err := conn.Exec(t.Context(), "PREPARE q AS "+text); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			for _, n := range []int{1, 1000} {
				args, ok := arguments(n)[name]
				if !ok {
					t.Fatalf("%s is new: give it arguments here", name)
				}
				for _, complaint := range complaints(t, conn, mode, args) {
					t.Errorf("%s, %s, arrays of %d: %s", name, mode, n, complaint)
				}
			}
		}
		if _, err := conn.Exec(t.Context(), "DEALLOCATE q"); err != nil {
			t.Fatal(err)
		}
	}
}

// complaints explains the prepared statement q and says what is wrong with it.
func complaints(t testing.TB, conn *pgx.Conn, mode string, args []string) []string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = "+mode); err != nil {
		t.Fatal(err)
	}
	call := "EXPLAIN (FORMAT JSON) EXECUTE q"
	if len(args) > 0 {
		call += "(" + strings.Join(args, ", ") + ")"
	}
	rows, _ := conn.Query(t.Context(), call, pgx.QueryExecModeSimpleProtocol)
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return []string{err.Error()}
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range plans {
		found = append(found, p.Plan.complaints()...)
	}
	return found
}

type planNode struct {
	NodeType  string     `json:"Node Type"`
	Relation  string     `json:"Relation Name"`
	IndexName string     `json:"Index Name"`
	IndexCond string     `json:"Index Cond"`
	Plans     []planNode `json:"Plans"`
}

func (n planNode) complaints() []string {
	var found []string
	if slices.Contains(bigTables, n.Relation) {
		switch {
		case n.NodeType == "Seq Scan":
			found = append(found, "sequential scan of "+n.Relation)
		case strings.HasPrefix(n.NodeType, "Index") && n.IndexCond == "":
			found = append(found, "scan of all of "+n.IndexName)
		}
	}
	for _, child := range n.Plans {
		found = append(found, child.complaints()...)
	}
	return found
}
