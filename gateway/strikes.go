package gateway

import "time"

const (
	// strikeLimit is how many refusals in a row, above strikeRate, a socket
	// survives: a thousand requests at once are refused one by one, a flood that
	// does not stop is closed with 4103.
	strikeLimit = 2000
	strikeRate  = 100 // refusals per second that are forgiven
)

// strikes counts the requests of one socket that were refused by the rate limit,
// as a leaky bucket. The zero value is ready.
type strikes struct {
	level float32
	at    int64 // Unix ms of the last one
}

// more takes one refusal and reports whether it was one too many.
func (k *strikes) more(now time.Time) bool {
	ms := now.UnixMilli()
	k.level = max(0, k.level-float32(ms-k.at)*strikeRate/1000) + 1
	k.at = ms
	return k.level > strikeLimit
}
