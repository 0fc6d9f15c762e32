package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client asks a node's admin listener.
type client struct {
	base string
	http *http.Client
}

func newClient(admin string, wait time.Duration) (*client, error) {
	if !strings.Contains(admin, "://") {
		if strings.HasPrefix(admin, ":") {
			admin = "127.0.0.1" + admin
		}
		admin = "http://" + admin
	}
	u, err := url.Parse(admin)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no address of an admin listener: want HOST:PORT", admin)
	}
	return &client{base: strings.TrimSuffix(admin, "/"), http: &http.Client{Timeout: wait}}, nil
}

// get asks a question; the answer is read into v and returned as it came. A
// status that also lists as good is none that failed.
func (c *client) get(ctx context.Context, path string, v any, also ...int) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, nil, v, also...)
}

// post tells a wish.
func (c *client) post(ctx context.Context, path string, wish any) error {
	body, err := json.Marshal(wish)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, http.MethodPost, path, body, nil)
	return err
}

// errAway says that nobody answers at all.
var errAway = errors.New("nobody answers")

func (c *client) do(ctx context.Context, method, path string, body []byte, v any, also ...int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%w at %s (%w); is a node running there? --admin names another", errAway, c.base, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s stopped in the middle of its answer: %w", c.base, err)
	}
	good := resp.StatusCode == http.StatusOK
	for _, status := range also {
		good = good || resp.StatusCode == status
	}
	if !good {
		return nil, refusal(resp.StatusCode, raw)
	}
	if v != nil {
		if err := json.Unmarshal(raw, v); err != nil {
			return nil, fmt.Errorf("%s%s is not what a feedgate node answers: %w", c.base, path, err)
		}
	}
	return raw, nil
}

// refusal is what the node says against it.
func refusal(status int, raw []byte) error {
	var plain struct{ Error string }
	if json.Unmarshal(raw, &plain) == nil && plain.Error != "" {
		return errors.New(plain.Error)
	}
	var coded struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(raw, &coded) == nil && coded.Error.Message != "" {
		return errors.New(coded.Error.Message)
	}
	return fmt.Errorf("the node answers %d %s", status, http.StatusText(status))
}

// print prints an answer as it came.
func (s *session) print(raw []byte) error {
	_, err := s.out.Write(append(bytes.TrimSpace(raw), '\n'))
	return err
}
