// Package trial is one run from beginning to end: it starts the processes, connects
// all clients, has the scenario worked off, lets the ledger judge, and writes down
// what was found.
//
//	options ──▶ fleet ──▶ connect ──▶ settle ──▶ drive ──▶ settle ──▶ posts ──▶ verify
//	                │ progress                                                    │
//	                ▼                                                             ▼
//	            recorder ◀── scrape of the server's metrics                    verdict
//	                └──────────────────────────▶ report ◀─────────────────────────┘
//
// An interrupted run stops where it is, verifies what there is, and reports that.
package trial
