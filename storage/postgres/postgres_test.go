package postgres_test

import (
	"testing"

	"github.com/feedgate/feedgate/storage"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// open makes a fresh database with that many shards and opens it.
func open(t testing.TB, shards int) (*postgres.Store, string) {
	t.Helper()
	url := storagetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Shards: shards, Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, url
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{
		Open: func(t testing.TB, shards int) storage.Store { s, _ := open(t, shards); return s },
	})
}
