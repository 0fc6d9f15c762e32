package main

import (
	"fmt"

	"github.com/feedgate/feedgate/gateway/auth"
)

// printToken prints a token that a node with the same settings accepts.
func printToken(cfg *Config, cmd *tokenCmd, p process) error {
	if cfg.JWTJWKS != "" {
		return &usageError{fmt.Errorf("with FEEDGATE_JWT_JWKS only the key set's owner can make tokens")}
	}
	secret, err := cfg.secret()
	if err != nil {
		return err
	}
	signer, err := auth.NewSigner(secret, cfg.JWTIssuer, cfg.JWTAudience)
	if err != nil {
		return &usageError{errNoSecret}
	}
	t, err := signer.Mint(cmd.User, cmd.Service, cmd.TTL)
	if err != nil {
		return &usageError{err}
	}
	_, err = fmt.Fprintln(p.Stdout, t)
	return err
}
