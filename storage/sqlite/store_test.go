package sqlite

import "testing"

func open(t testing.TB, dir string, shards int) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir, Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
