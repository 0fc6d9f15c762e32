package lean

import (
	"context"
	"sync"
	"time"
)

// pace lets so many through per second, evenly.
type pace struct {
	every time.Duration // 0: no limit

	mu   sync.Mutex
	next time.Time // guarded by mu
}

// paceSlack is how much of what was missed may be made up for at once.
const paceSlack = 20 * time.Millisecond

// at reserves a place and says when its time has come.
func (p *pace) at(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late := now.Add(-paceSlack); p.next.Before(late) {
		p.next = late
	}
	at := p.next
	p.next = at.Add(p.every)
	return at
}

func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return ctx.Err()
	}
	d := time.Until(p.at(time.Now()))
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
