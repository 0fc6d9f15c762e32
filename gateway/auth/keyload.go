package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	fetchTimeout = 5 * time.Second
	maxKeyDoc    = 1 << 20 // bytes
)

// isURL tells a URL from a file's path.
func isURL(where string) (bool, error) {
	if !strings.Contains(where, "://") {
		return false, nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false, errors.New("want a file's path or an http(s) URL")
	}
	return true, nil
}

func fileLoader(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readDoc(f)
	}
}

func urlLoader(where string) func(context.Context) ([]byte, error) {
	client := &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) > 5 || (via[0].URL.Scheme == "https" && to.URL.Scheme != "https") {
				return errors.New("too many redirects, or one away from https")
			}
			return nil
		},
	}
	return func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("GET %s: %s", req.URL.Redacted(), resp.Status)
		}
		return readDoc(resp.Body)
	}
}

func readDoc(r io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(r, maxKeyDoc+1))
	if err != nil {
		return nil, err
	}
	if len(doc) > maxKeyDoc {
		return nil, errors.New("a JWK set above 1 MiB")
	}
	return doc, nil
}
