package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secret is the HS256 secret, "" with a key set. A node in dev mode without one
// makes it up at its first start and keeps it beside its data, so that the
// tokens in a newcomer's tabs outlive a restart and the token command works.
func (c *Config) secret() (string, error) {
	if c.JWTSecret != "" || c.JWTJWKS != "" || c.Dev == devOff {
		return c.JWTSecret, nil
	}
	path := filepath.Join(c.Data, "dev-jwt-secret")
	have, err := os.ReadFile(path)
	if err == nil && len(have) > 0 {
		return string(have), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("dev secret: %w", err)
	}
	fresh := rand.Text() + rand.Text() // 52 letters and digits, 260 bits
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return "", fmt.Errorf("dev secret: %w", err)
	}
	if err := os.WriteFile(path, []byte(fresh), 0o600); err != nil {
		return "", fmt.Errorf("dev secret: %w", err)
	}
	return fresh, nil
}
