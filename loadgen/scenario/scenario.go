package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Scenario is one file.
type Scenario struct {
	Name  string `json:"name"`
	About string `json:"about"`

	Duration Duration `json:"duration"` // from the first step to the last
	Settle   Duration `json:"settle"`   // quiet, when all are attached and before the first step
	Quiet    Duration `json:"quiet"`    // nothing more may come for so long before all is checked
	Ramp     float64  `json:"ramp"`     // connects per second of all clients together
	Feed     int      `json:"feed"`     // newest posts asked for with connect, 0 to 100
	ReadAll  bool     `json:"read_all"` // clients mark all as read before the first step
	Patience Duration `json:"patience"` // what is not repaired by then, after the last step, is lost
	Talk     int      `json:"talk"`     // members of each conversation, 2 to 256: neighbours talk to each other. 0: nobody does

	Steps []Step `json:"steps"`
}

// Step is something that is done again and again, or at given times.
type Step struct {
	Do    Verb       `json:"do"`
	Rate  float64    `json:"rate,omitempty"`  // times per second, evenly
	At    []Duration `json:"at,omitempty"`    // instead of a rate: when, from the start
	By    Who        `json:"by,omitempty"`    // post: by whom; "anyone" without it
	Size  int        `json:"size,omitempty"`  // post, message: bytes of text
	Share float64    `json:"share,omitempty"` // with at: the part of all clients that does it, 0 to 1
	For   Duration   `json:"for,omitempty"`   // unfollow, background, pause: undone after so long
}

// Verb is what a step does.
type Verb string

const (
	Post       Verb = "post"       // somebody publishes
	Message    Verb = "message"    // somebody writes to those they talk to
	Read       Verb = "read"       // a client marks what it has as read
	ReadTalk   Verb = "read_talk"  // a client marks the messages that it has as read
	Feed       Verb = "feed"       // a client asks for a page
	Unfollow   Verb = "unfollow"   // a client unfollows somebody, and follows them again
	Background Verb = "background" // a client takes counters only, for a while
	Drop       Verb = "drop"       // a client's line is lost; it comes back with resume
	Pause      Verb = "pause"      // a client reads nothing from its socket, for a while
)

// Who posts.
type Who string

const (
	Anyone    Who = "anyone"
	Celebrity Who = "celebrity" // whom everybody follows
)

// Bounds of what a file may ask for.
const (
	maxSteps    = 50
	maxRate     = 100_000
	maxTimes    = 10_000
	maxDuration = 24 * time.Hour
	maxText     = 8_000 // the protocol's
	maxTalk     = 256   // likewise
)

// Duration is a time.Duration that is written as "1m30s".
type Duration time.Duration

// D is the duration as the standard library has it.
func (d Duration) D() time.Duration { return time.Duration(d) }

func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *Duration) UnmarshalText(p []byte) error {
	v, err := time.ParseDuration(string(p))
	*d = Duration(v)
	return err
}

// Parse reads a file. What it does not know it refuses.
func Parse(p []byte) (*Scenario, error) {
	s := &Scenario{Duration: Duration(30 * time.Second), Quiet: Duration(2 * time.Second), Patience: Duration(time.Minute), Ramp: 2700}
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("scenario: more than one object")
	}
	for i := range s.Steps {
		s.Steps[i].fill()
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// fill gives what is not said its default.
func (st *Step) fill() {
	switch st.Do {
	case Post:
		if st.By == "" {
			st.By = Anyone
		}
		if st.Size == 0 {
			st.Size = 160
		}
	case Message:
		if st.Size == 0 {
			st.Size = 160
		}
	case Unfollow, Background, Pause:
		if st.For == 0 {
			st.For = Duration(5 * time.Second)
		}
	}
	if len(st.At) > 0 && st.Share == 0 && !st.Publishes() {
		st.Share = 1
	}
}

// Validate says the first thing that is wrong with a scenario, or nil.
func (s *Scenario) Validate() error {
	switch {
	case s.Name == "":
		return errors.New("scenario: it has no name")
	case s.Duration <= 0 || s.Duration.D() > maxDuration:
		return fmt.Errorf("scenario %s: want a duration up to %v, got %v", s.Name, maxDuration, s.Duration.D())
	case s.Settle < 0 || s.Settle.D() > maxDuration || s.Quiet.D() < 100*time.Millisecond || s.Quiet.D() > maxDuration ||
		s.Patience.D() < time.Second || s.Patience.D() > maxDuration:
		return fmt.Errorf("scenario %s: settle, quiet (at least 100ms) or patience (at least 1s) is out of range", s.Name)
	case !(s.Ramp > 0 && s.Ramp <= maxRate):
		return fmt.Errorf("scenario %s: want a ramp up to %d per second, got %v", s.Name, maxRate, s.Ramp)
	case s.Feed < 0 || s.Feed > 100:
		return fmt.Errorf("scenario %s: want a feed of 0 to 100 posts, got %d", s.Name, s.Feed)
	case s.Talk < 0 || s.Talk == 1 || s.Talk > maxTalk:
		return fmt.Errorf("scenario %s: want 2 to %d who talk to each other, or 0, got %d", s.Name, maxTalk, s.Talk)
	case len(s.Steps) > maxSteps:
		return fmt.Errorf("scenario %s: %d steps, of at most %d", s.Name, len(s.Steps), maxSteps)
	}
	for i := range s.Steps {
		if err := s.Steps[i].validate(); err != nil {
			return fmt.Errorf("scenario %s: step %d (%s): %w", s.Name, i+1, s.Steps[i].Do, err)
		}
		if do := s.Steps[i].Do; (do == Message || do == ReadTalk) && s.Talk == 0 {
			return fmt.Errorf("scenario %s: step %d (%s) needs \"talk\": how many talk to each other", s.Name, i+1, do)
		}
		if s.Steps[i].Do == Unfollow && !s.ReadAll {
			return fmt.Errorf("scenario %s: step %d unfollows, so it needs \"read_all\": how many of those "+
				"that were unread before the run go with it, nobody could tell", s.Name, i+1)
		}
	}
	return nil
}

func (st *Step) validate() error {
	switch st.Do {
	case Post:
		if st.By != Anyone && st.By != Celebrity {
			return fmt.Errorf("by %q: want anyone or celebrity", st.By)
		}
		if st.Size < MinText || st.Size > maxText {
			return fmt.Errorf("want %d to %d bytes of text, got %d", MinText, maxText, st.Size)
		}
	case Message:
		if st.By != "" {
			return errors.New("only a post has by")
		}
		if st.Size < MinText || st.Size > maxText {
			return fmt.Errorf("want %d to %d bytes of text, got %d", MinText, maxText, st.Size)
		}
	case Read, ReadTalk, Feed, Unfollow, Background, Drop, Pause:
		if st.By != "" || st.Size != 0 {
			return errors.New("only a post has by, and only a post or a message size")
		}
	default:
		return errors.New("nobody knows how to do that")
	}
	if (st.Rate > 0) == (len(st.At) > 0) || !(st.Rate >= 0 && st.Rate <= maxRate) {
		return fmt.Errorf("want either a rate up to %d or times", maxRate)
	}
	if len(st.At) > maxTimes {
		return fmt.Errorf("%d times, of at most %d", len(st.At), maxTimes)
	}
	for i, at := range st.At {
		if at < 0 || at.D() > maxDuration || i > 0 && at < st.At[i-1] {
			return errors.New("want times in ascending order, none before the start")
		}
	}
	if !(st.Share >= 0 && st.Share <= 1) || st.Share > 0 && (st.Rate > 0 || st.Publishes()) {
		return errors.New("want a share of 0 to 1, and only for what clients do at given times")
	}
	if st.For < 0 || st.For.D() > maxDuration {
		return fmt.Errorf("for %v is out of range", st.For.D())
	}
	return nil
}

// Publishes reports whether the step makes something that others are to get.
func (st *Step) Publishes() bool { return st.Do == Post || st.Do == Message }

// MinText is the bytes that the text of a post or a message has at least: it says which it is.
const MinText = 64
