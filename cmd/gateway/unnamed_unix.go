//go:build unix && !linux

package main

import "os"

// unnamed is an empty file that nobody else finds.
func unnamed(what string) (*os.File, error) {
	f, err := os.CreateTemp("", "feedgate-"+what)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
