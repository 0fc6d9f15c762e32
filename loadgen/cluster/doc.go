// Package cluster starts what a test on one machine needs: a throw-away Postgres and
// Redis, and nodes of the gateway's binary between them; stops, kills and restarts
// them on request, and leaves nothing behind.
//
// Everything listens on loopback only, lives in one directory that goes away with
// it, and is ended by its process id. Postgres refuses to be run by root: then it
// runs as the user postgres.
package cluster
