package presence

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// message is what a node tells all others, at most once per Every. The names of its
// fields never change their meaning.
type message struct {
	// Seq is greater than that of any earlier message, of earlier lives of the node too.
	Seq uint64 `json:"seq"`
	// Watch are users whom the node's sessions watch, each again and again.
	Watch []string `json:"watch,omitempty"`
	// There holds, by node, the places in Watch of those who are said to be there.
	There map[string][]int `json:"there,omitempty"`
	// On are users who are here, and Off users who are not any more.
	On  []string  `json:"on,omitempty"`
	Off []offline `json:"off,omitempty"`
	// Heard says, by node, which message with a Watch this one answers; those before
	// it have been answered too, or lost.
	Heard map[string]uint64 `json:"heard,omitempty"`
}

// offline is a user who has gone, and when, in Unix ms; 0: not known.
type offline struct {
	User string `json:"user"`
	At   int64  `json:"at,omitempty"`
}

// maxMessage is a bound in bytes of what is read.
const maxMessage = 32 << 20

func (m *message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("presence: %v", err)) // strings and numbers
	}
	return b
}

// decodeMessage reads what another node sent, which may be of another release.
func decodeMessage(b []byte) (*message, error) {
	if len(b) > maxMessage {
		return nil, errors.New("presence: too long a message")
	}
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	for _, users := range [][]string{m.Watch, m.On} {
		for _, u := range users {
			if !feedengine.ValidUser(u) {
				return nil, errors.New("presence: a message with no user's id")
			}
		}
	}
	for _, o := range m.Off {
		if !feedengine.ValidUser(o.User) {
			return nil, errors.New("presence: a message with no user's id")
		}
	}
	for _, at := range m.There {
		for _, i := range at {
			if i < 0 || i >= len(m.Watch) {
				return nil, errors.New("presence: a message that points outside itself")
			}
		}
	}
	return &m, nil
}
