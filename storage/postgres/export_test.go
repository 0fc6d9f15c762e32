package postgres

import "time"

// Tests hold transactions open on purpose, on machines of any speed: Postgres
// must not end them before the test has looked.
func init() {
	writerParams["statement_timeout"] = "120s"
	writerParams["idle_in_transaction_session_timeout"] = "120s"
}

// SetFrozenAfter says how long the store's claims wait before they end an owner's backends.
func (s *Store) SetFrozenAfter(d time.Duration) { s.frozen = d }
