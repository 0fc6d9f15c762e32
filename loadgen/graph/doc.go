// Package graph is the follow graph of a run: who follows whom, as a pure function
// of a seed. Nothing of it is kept in memory; every process computes the part that
// it needs, and all come to the same.
//
// Users are numbers from 0. A lower number means more followers: how often a user is
// followed falls with their number to the power of -0.8, which makes a few
// celebrities, and most people with a handful of followers. User 0 is followed by
// everybody.
package graph
