// Package token signs the tokens that clients and tools show, as a login server
// would that shares the secret with feedgate (HS256).
package token

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// life is how long tokens are good for: longer than any run.
const life = 24 * time.Hour

// Mint makes a token for a user. A service token may act for anybody.
func Mint(secret, user string, service bool) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{"sub": user, "iat": now.Unix(), "exp": now.Add(life).Unix()}
	if service {
		claims["scope"] = "service"
	}
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return t, nil
}
