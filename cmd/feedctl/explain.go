package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

type explainCmd struct {
	User string `arg:"" help:"Whose feed."`
	Post string `arg:"" help:"Id of the post."`
}

// explanation is what /cluster/explain answers, as far as it is read here.
type explanation struct {
	Steps []struct {
		Step   string    `json:"step"`
		State  string    `json:"state"`
		At     time.Time `json:"at"`
		Node   string    `json:"node"`
		Detail string    `json:"detail"`
	} `json:"steps"`
	Missing string `json:"missing"`
	Why     string `json:"why"`
}

// marks stand before the steps that were taken, were not, or of which nobody can know.
var marks = map[string]string{"yes": "✓", "no": "✗", "unknown": "?"}

// Run explains a post's way.
func (c *explainCmd) Run(ctx context.Context, s *session) error {
	if _, err := feedengine.ParseID(c.Post); err != nil {
		return &usageError{fmt.Errorf("POST %q: %w", c.Post, err)}
	}
	if !feedengine.ValidUser(c.User) {
		return &usageError{fmt.Errorf("USER %q is no user id", c.User)}
	}
	var e explanation
	raw, err := s.get(ctx, "/cluster/explain?"+url.Values{"user": {c.User}, "post": {c.Post}}.Encode(), &e)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if s.json {
		err = s.print(raw)
	} else {
		err = e.print(s)
	}
	if err == nil && e.Missing != "" {
		err = errUnwell
	}
	return err
}

func (e *explanation) print(s *session) error {
	t := newTable("", "STEP", "AT (UTC)", ">AFTER", "NODE", "")
	var first time.Time
	for _, step := range e.Steps {
		after := ""
		if first.IsZero() {
			first = step.At
		} else if !step.At.IsZero() {
			after = fmt.Sprintf("%+d ms", step.At.Sub(first).Milliseconds())
		}
		t.add(marks[step.State], step.Step, clock(step.At), after, step.Node, step.Detail)
	}
	if err := t.print(s.out); err != nil {
		return err
	}
	var err error
	if e.Missing != "" {
		_, err = fmt.Fprintf(s.out, "\nFirst missing step: %s.\n%s.\n", e.Missing, e.Why)
	} else {
		_, err = fmt.Fprintf(s.out, "\nNothing is missing: %s.\n", e.Why)
	}
	return err
}

type checkCmd struct{}

// Run checks all nodes.
func (checkCmd) Run(ctx context.Context, s *session) error {
	var got struct {
		OK    bool `json:"ok"`
		Nodes []struct {
			Node   string `json:"node"`
			OK     bool   `json:"ok"`
			Error  string `json:"error"`
			Audits uint64 `json:"audits"`
			Drift  uint64 `json:"drift"`
		} `json:"nodes"`
	}
	raw, err := s.get(ctx, "/cluster/check", &got, http.StatusInternalServerError)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if s.json {
		err = s.print(raw)
	} else {
		t := newTable("", "NODE", ">AUDITED", ">DRIFTED", "")
		for _, n := range got.Nodes {
			mark := marks["yes"]
			if !n.OK {
				mark = marks["no"]
			}
			t.add(mark, n.Node, n.Audits, n.Drift, n.Error)
		}
		err = t.print(s.out)
	}
	if err == nil && !got.OK {
		err = errUnwell
	}
	return err
}

// said prints what was done: for scripts, or for people.
func (s *session) said(machine map[string]any, people string) error {
	if !s.json {
		_, err := fmt.Fprintln(s.out, people)
		return err
	}
	raw, err := json.Marshal(machine)
	if err != nil {
		return err
	}
	return s.print(raw)
}
