package trial

import (
	"testing"

	"github.com/feedgate/feedgate/loadgen/liar"
)

// TestEveryLieIsFound: the load generator finds what it is there to find, and finds
// nothing where there is nothing.
func TestEveryLieIsFound(t *testing.T) {
	n := 0
	_, err := SelfTest(t.Context(), 4, func(c Caught) {
		n++
		if c.OK {
			return
		}
		t.Errorf("%s: told %v, faults %v, %v", c.Lie, c.Told, c.Report.Ledger.Faults, c.Report.Verdict.Why)
		for _, f := range c.Report.Ledger.Samples {
			t.Logf("  %s %s: %s", f.Kind, f.User, f.What)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != len(liar.Kinds()) || n < 20 {
		t.Errorf("%d lies were told", n)
	}
}
