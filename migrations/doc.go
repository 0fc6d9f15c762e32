// Package migrations holds the tables of both databases as numbered SQL files
// and brings a database up to them.
//
// A file, once released, never changes: what it should have said is said by the
// next one. Each must leave a database that the release before it can still work
// on, so that nodes of two releases may run side by side while a cluster is
// being replaced. A release refuses a database that is newer than itself
// (ErrNewerSchema): it cannot know what the rows there mean.
//
// The package knows no driver: its callers open the database.
package migrations
