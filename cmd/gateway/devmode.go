package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// devMode says whether the node is somebody's toy.
type devMode string

const (
	devOff   devMode = "off"
	devOn    devMode = "on"
	devForce devMode = "force" // also where other machines can reach it
)

// Decode takes --dev alone, --dev=force, and what people write into variables.
func (m *devMode) Decode(ctx *kong.DecodeContext) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		*m = devOn
		return nil
	}
	value := fmt.Sprint(ctx.Scan.Pop().Value)
	switch strings.ToLower(value) {
	case "1", "true", "yes", "on":
		*m = devOn
	case "0", "false", "no", "off", "":
		*m = devOff
	case "force":
		*m = devForce
	default:
		return fmt.Errorf("want on, off or force, got %q", value)
	}
	return nil
}

// IsBool lets the flag stand without a value.
func (m *devMode) IsBool() bool { return true }
