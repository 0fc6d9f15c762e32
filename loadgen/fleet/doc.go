// Package fleet is the processes of a run: as many as the descriptors ask for, each
// with a crowd of clients, and one that gives the orders.
//
//	Fleet ── orders ──▶ stdin ──▶ Serve ──▶ crowd
//	      ◀── news ──── stdout ◀─┘   answers, and progress twice a second
//
// Both are streams of gob. A process does one order at a time and answers it; only
// "cancel" and "targets" are obeyed meanwhile. It ends when its input ends, so that
// none is left behind when the one that gives the orders dies.
package fleet
