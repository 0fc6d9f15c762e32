package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/feedgate/feedgate/feedengine"
)

// moreText is what a post has beside its text, as posts.more holds it. Whom it
// alerted stands in the log alone: there may be thousands.
func moreText(p *feedengine.Post) (string, error) {
	if p.More == nil {
		return "", nil
	}
	more := *p.More
	more.Alerts = nil
	text, err := marshal(&more)
	if text == "{}" {
		text = ""
	}
	return text, err
}

// moreColumn is where posts.more is scanned to.
type moreColumn feedengine.Post

func (m *moreColumn) ScanText(v pgtype.Text) error {
	m.More = nil
	if v.String == "" {
		return nil
	}
	m.More = &feedengine.More{}
	if err := json.Unmarshal([]byte(v.String), m.More); err != nil {
		return fmt.Errorf("more of post %d: %w", m.ID, err)
	}
	return nil
}

// attached is what few messages have beside their text, as messages.more holds it.
type attached struct {
	Media []feedengine.Media `json:"media,omitempty"`
}

func attachedText(m *feedengine.Message) (string, error) {
	if len(m.Media) == 0 {
		return "", nil
	}
	return marshal(attached{Media: m.Media})
}

// attachedColumn is where messages.more is scanned to.
type attachedColumn feedengine.Message

func (a *attachedColumn) ScanText(v pgtype.Text) error {
	a.Media = nil
	if v.String == "" {
		return nil
	}
	var of attached
	if err := json.Unmarshal([]byte(v.String), &of); err != nil {
		return fmt.Errorf("more of message %d: %w", a.ID, err)
	}
	a.Media = of.Media
	return nil
}
