package main

import (
	"context"
	"fmt"

	"github.com/feedgate/feedgate/loadgen/liar"
	"github.com/feedgate/feedgate/loadgen/trial"
)

// Run is the command.
func (c *selftestCmd) Run(ctx context.Context, p *process) error {
	fmt.Fprintf(p.Stderr, "facing %d servers, of which one does not lie\n", len(liar.Kinds()))
	ok, err := trial.SelfTest(ctx, max(c.AtATime, 1), func(x trial.Caught) {
		word := "FOUND"
		switch {
		case !x.OK && !x.Told:
			word = "NOT TOLD"
		case !x.OK && x.Lie == liar.None:
			word = "FOUND SOMETHING"
		case !x.OK:
			word = "NOT FOUND"
		case x.Lie == liar.None:
			word = "found nothing"
		}
		fmt.Fprintf(p.Stdout, "%-32s %-15s %v\n", x.Lie, word, x.Report.Ledger.Faults)
	})
	if err != nil {
		return err
	}
	if !ok {
		return errNotOK
	}
	return nil
}
