package migrations

import (
	"errors"
	"fmt"
)

var (
	// ErrNewerSchema: the database was written by a newer release than this one.
	ErrNewerSchema = errors.New("database schema is newer than this binary")
	// ErrOlderSchema: the database lacks migrations that this binary needs.
	ErrOlderSchema = errors.New("database schema is older than this binary")
)

// SchemaError is a difference between the database's newest migration and this
// binary's. It is ErrNewerSchema or ErrOlderSchema.
type SchemaError struct {
	Database int64
	Binary   int64
}

func (e *SchemaError) Error() string {
	if e.Database > e.Binary {
		return fmt.Sprintf("%v: database is at version %d, this binary knows versions up to %d; run a newer release",
			ErrNewerSchema, e.Database, e.Binary)
	}
	return fmt.Sprintf("%v: database is at version %d, this binary needs version %d; run migrate",
		ErrOlderSchema, e.Database, e.Binary)
}

// Is makes errors.Is tell the two cases apart.
func (e *SchemaError) Is(target error) bool {
	if e.Database > e.Binary {
		return target == ErrNewerSchema
	}
	return target == ErrOlderSchema
}
