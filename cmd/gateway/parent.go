package main

import (
	"context"
)

func serveWorkers(ctx context.Context, cfg *Config, p process) error { panic("being written") }
