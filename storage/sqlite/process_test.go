//go:build unix

package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/feedengine"
)

// childEnv names the role that this test binary plays when a test starts it
// again, and childDir its data directory.
const childEnv, childDir = "FEEDGATE_SQLITE_TEST_CHILD", "FEEDGATE_SQLITE_TEST_DIR"

// child starts the test that calls it again as another process in a role.
func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+role, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKill ends a process with SIGKILL in the midst of its appends, again and
// again: every append that it was told of is there, and nothing is twice. Its
// lock goes with it.
func TestKill(t *testing.T) {
	if os.Getenv(childEnv) == "append" {
		s := open(t, os.Getenv(childDir), 4)
		p := newPoster(t, s)
		for n := 1; ; n = n%40 + 1 {
			if err := p.post(t, n); err != nil {
				fmt.Println("failed", err)
				return
			}
			fmt.Println("acknowledged", p.head.Seq)
		}
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	var acknowledged uint64
	for round := range 6 {
		cmd, lines := child(t, "append", dir)
		for until := 1 + rnd.IntN(60); until > 0 && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "failed") {
				t.Fatal(lines.Text())
			}
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &acknowledged); err == nil {
				until--
			}
		}
		if round == 0 {
			_, err := Open(t.Context(), Config{Dir: dir})
			if says := fmt.Sprintf("in use by process %d", cmd.Process.Pid); !errors.Is(err, feedengine.ErrUnavailable) || !strings.Contains(err.Error(), says) {
				t.Errorf("opened beside another process: %v, want %q", err, says)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died
			fmt.Sscanf(lines.Text(), "acknowledged %d", &acknowledged)
		}
		cmd.Wait() // killed: an error, and ours

		s := open(t, dir, 4)
		// One append may have been committed and not been told of.
		stored(t, s, acknowledged, acknowledged+40)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if acknowledged < 50 {
		t.Errorf("only %d posts were acknowledged: the test shows nothing", acknowledged)
	}
}

// TestIOError lets a process's writes fail in the midst of its commits (by
// RLIMIT_FSIZE: EFBIG, which SQLite takes for an I/O error) and then succeed
// again. The outcome is unknown until the claim that settles it.
func TestIOError(t *testing.T) {
	if os.Getenv(childEnv) == "limited" {
		limited(t, os.Getenv(childDir))
		return
	}
	cmd, lines := child(t, "limited", t.TempDir())
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, strings.Join(said, "\n"))
	}
}

func limited(t *testing.T, dir string) {
	signal.Ignore(unix.SIGXFSZ)
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	var free unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
		t.Fatal(err)
	}
	for _, more := range []int64{0, 100, 5000} { // the WAL breaks at a frame, in a header, in a page
		wal, err := os.Stat(p.store.files.path() + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		limit := free
		limit.Cur = uint64(wal.Size() + more)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		if err := p.post(t, 30); !errors.Is(err, feedengine.ErrUnknownOutcome) {
			t.Errorf("append whose writes fail: %v, want ErrUnknownOutcome", err)
		}
		if _, err := p.store.Claim(context.Background(), "a", []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}); more == 0 && err == nil {
			t.Error("a claim while writes fail succeeded")
		}
		p.stored(t) // nothing of it shows, and reads go on
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
			t.Fatal(err)
		}
		seq := p.head.Seq
		if p.claim(t); p.head.Seq != seq {
			t.Errorf("the log stands at %d, want %d", p.head.Seq, seq)
		}
		works(t, p)
	}
}
