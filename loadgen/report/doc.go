// Package report is what a run found: a JSON file whose fields stay, a page to look
// at, and a table for the terminal. docs/loadgen.md explains the fields.
//
// It measures nothing and judges nothing: package trial fills it in.
package report
