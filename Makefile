# Copyright 2026 The Gatehouse Authors
# SPDX-License-Identifier: Apache-2.0
#
# Every task of the house. CI calls these targets and nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

GO ?= go
PKG ?= ./...
BENCH ?= .
FUZZTIME ?= 30s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.6.0

# SQLite itself, which is C written down as Go, is not watched for races: that costs more than all the rest. Its driver is.
GOTEST := $(GO) test -race -gcflags='modernc.org/sqlite/lib=-race=false' -timeout 20m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## start a server on ./gatehouse-data; ARGS="--listen 127.0.0.1:9000" adds flags
	./bin/gatehouse serve $(ARGS)

.PHONY: deps
deps: ## install the programs that the tests need, or name what is missing
	@scripts/deps

.PHONY: build
build: ## make the static binary bin/gatehouse
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/gatehouse ./cmd/gatehouse

.PHONY: fmt
fmt: ## format the source
	gofmt -w .

.PHONY: vet
vet: ## run go vet
	$(GO) vet $(PKG)

.PHONY: check
check: deps check-fmt vet check-static check-tidy check-shape check-race check-vuln ## all of it: before every commit

.PHONY: test
test: deps ## run the whole suite with the race detector; PKG=./gate/... narrows it
	$(GOTEST) $(PKG)

.PHONY: test-gateways-full
test-gateways-full: deps ## run the tests of Caddy and Traefik in new versions, built from source; the first time for 15 minutes
	GATEWAYS="$$(GO='$(GO)' scripts/gateways)" GATEHOUSE_NODES_FULL=1 $(GO) test -count=1 -timeout 20m -run 'Caddy|Traefik|HAProxy|NginxRolling' ./deploy

.PHONY: test-nodes-full
test-nodes-full: deps ## run the tests of several nodes at full size, without the race detector; it takes many minutes
	GATEHOUSE_NODES_FULL=1 $(GO) test -v -count=1 -timeout 60m -run '^TestNodes' ./cmd/gatehouse
	GATEHOUSE_NODES_FULL=1 $(GO) test -v -count=1 -timeout 20m -run '^TestNginxRollingRestart$$' ./deploy

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each (30s); FUZZ=FuzzParse picks by name
	GO='$(GO)' FUZZTIME='$(FUZZTIME)' FUZZ='$(FUZZ)' scripts/fuzz

.PHONY: bench-gates
bench-gates: deps ## run the benchmark of the gates with a million keys, against its bars; half an hour on a quiet machine
	GATEHOUSE_BENCH_KEYS=1000000 taskset -c 1 $(GO) test -run '^$$' -bench 'ForwardAuth$$' -benchtime 20x -timeout 60m ./internal/server

.PHONY: bench
bench: deps ## run the benchmarks; BENCH=Verify picks by name, PKG=./gate narrows them
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

.PHONY: model
model: deps ## search all states of the model of revocation, with each rule and without it; a minute
	GATEHOUSE_MODEL=1 $(GO) test -count=1 -run RevocationModel ./internal/arch

.PHONY: golden
golden: deps ## write the golden files anew; review the difference before you commit it
	UPDATE_GOLDEN=1 $(GO) test -count=1 $(PKG)

.PHONY: screenshots
screenshots: deps ## write the pictures of every page of the console anew, into docs/screenshots
	mkdir -p docs/screenshots
	SCREENSHOTS='$(CURDIR)/docs/screenshots' $(GO) test -count=1 -run '^TestConsolePages$$' ./cmd/gatehouse

.PHONY: clean
clean: ## remove what the other targets made; ./gatehouse-data stays
	rm -rf bin coverage.out

# The parts of check.

.PHONY: check-fmt
check-fmt:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted (run: make fmt):"; echo "$$unformatted"; exit 1; fi

.PHONY: check-static
check-static:
	$(GO) run $(STATICCHECK) $(PKG)

.PHONY: check-tidy
check-tidy:
	$(GO) mod tidy -diff

# Shape and docs come before the slow tests: they fail in a second.
.PHONY: check-shape
check-shape:
	$(GO) test -skip RevocationModel ./internal/arch

.PHONY: check-race
check-race:
	$(GOTEST) $(PKG)

.PHONY: check-vuln
check-vuln:
	GO='$(GO)' scripts/vuln $(GOVULNCHECK) $(PKG)
