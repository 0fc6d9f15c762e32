package storagetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is the URL of the server that tests may use: TEST_POSTGRES_URL.
// Without one the test fails.
func PostgresServer(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		t.Fatal("this test needs a Postgres server where it may create databases: run make test, or set TEST_POSTGRES_URL")
	}
	return server
}

// Postgres makes an empty database on that server and returns its URL. It is
// dropped, with whatever is still connected to it, when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := PostgresServer(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("TEST_POSTGRES_URL: %v", err)
	}
	var b [8]byte
	rand.Read(b[:])
	name := "feedgate_test_" + hex.EncodeToString(b[:])

	// template0, so that its encoding is ours to say and concurrent tests do not
	// wait for each other's connections to template1.
	admin(t, server, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8'`)
	t.Cleanup(func() { admin(t, server, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) })
	u.Path = "/" + name
	return u.String()
}

// admin runs one statement on the server itself.
func admin(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to TEST_POSTGRES_URL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
