# What can be done with feedgate from a clone. `make` alone prints this list.

GO ?= go
BIN := bin/gateway

.DEFAULT_GOAL := help
.PHONY: help run build test lint fmt bench bench-sockets bench-cluster bench-queries loadtest sim fuzz clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build a node and run it here, with no configuration: SQLite in ./data, demo page at /
	FEEDGATE_DEV=1 exec $(BIN)

build: ## build the binaries into ./bin
	$(GO) build -o $(BIN) ./cmd/gateway
	$(GO) build -o bin/feedctl ./cmd/feedctl
	$(GO) build -o bin/loadgen ./cmd/loadgen

test: ## everything: format, vet, staticcheck, go test -race, the JS client, a real browser
	.ci/test

lint: ## format, vet and staticcheck only
	.ci/checks lint

fmt: ## format the Go code
	$(GO) fmt ./...

bench: ## the benchmarks, against private Postgres and Redis
	.ci/with-services .ci/bench

bench-sockets: build ## what 15,000 connections cost a node, beside a bare loop of write(2); takes two minutes
	.ci/with-services $(GO) run ./cmd/benchsockets -node $(BIN)

bench-cluster: build ## three nodes on this machine: latency, CPU, a Redis outage, moves, a fourth node; takes four minutes
	.ci/with-services $(GO) run ./cmd/benchcluster -node $(BIN)

bench-queries: ## what users wait for, in Postgres with SCALE (default 1) of 100,000 users, 1,000,000 posts, 5,000,000 follows …; takes some minutes
	.ci/with-services $(GO) test ./storage/postgres -run '^$$' -bench '^BenchmarkQueries$$' -benchtime 1x -timeout 1h -v -args -scale $(or $(SCALE),1)

loadtest: build ## CONNS connections (default 100000), and the proof that all of them got exactly what they should
	.ci/loadtest

sim: ## a whole cluster on virtual time, for SEEDS seeds (default 1000, a minute or two); one alone: ARGS="-seed N"
	$(GO) test ./shard/sim -count=1 -run '^TestCluster$$' -timeout 1h -args -seeds $(or $(SEEDS),1000) $(ARGS)

fuzz: ## each Fuzz target for FUZZTIME (default 10s)
	.ci/fuzz

clean: ## remove what was built here; ./data stays
	rm -rf bin reports
