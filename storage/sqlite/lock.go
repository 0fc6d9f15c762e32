package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// lockFile is the file in the directory whose lock says that a process owns it.
// It holds that process's id, for people.
const lockFile = "feedgate.lock"

// lockDir takes the directory for this process. Closing the file gives it back.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", feedengine.ErrUnavailable, err)
	}
	held, err := tryLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: lock %s: %w", feedengine.ErrUnavailable, path, err)
	}
	if !held {
		pid := make([]byte, 20)
		n, _ := f.Read(pid)
		f.Close()
		return nil, fmt.Errorf("%w: %s is in use by process %s; a data directory belongs to one node at a time",
			feedengine.ErrUnavailable, dir, strings.TrimSpace(string(pid[:n])))
	}
	// Whose lock it is is a courtesy: an error here is none of the lock's.
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}
