package lean

import "sync"

// sources spreads connections over the addresses of the loopback network: with
// many thousands from one address, connect looks long for a free port.
type sources struct {
	first, per int

	mu   sync.Mutex
	live []int32 // guarded by mu: connections by address
	hint int     // guarded by mu: the ones before are full
}

// take gives an address that has room.
func (s *sources) take() (index int, ip [4]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.hint < len(s.live) && int(s.live[s.hint]) >= s.per {
		s.hint++
	}
	if s.hint == len(s.live) {
		s.live = append(s.live, 0)
	}
	s.live[s.hint]++
	return s.hint, s.ip(s.hint)
}

func (s *sources) give(index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[index]--
	s.hint = min(s.hint, index)
}

// ip is the index'th address: 127.0.1.1, 127.0.1.2 …
func (s *sources) ip(index int) [4]byte {
	const perNet = 254
	n := s.first + index
	return [4]byte{127, byte(n / perNet / 255), byte(n/perNet%255 + 1), byte(n%perNet + 1)}
}
