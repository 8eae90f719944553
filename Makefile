# Nothing but Go, git and make is needed beforehand: `make deps` installs the
# servers, and every tool is in go.mod (`go tool`).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Where the demo keeps its data. DEMO_FLAGS: for instance --customers 10000 --orders 50000.
DEMO_DIR ?= .cache/demo
DEMO_FLAGS ?=

# What to test, and how. Two packages at a time: many of them run servers of their own.
PKG ?= ./...
TEST_FLAGS ?= -race -p 2 -parallel 4 -timeout 25m

BENCH_FLAGS ?=

# The seed of a chaos run, how long faults come, and how many rows its big transaction has.
CHAOS_SEED ?= $(shell date +%s)
CHAOS_LENGTH ?= 3m
CHAOS_ROWS ?= 5000000
# For instance -chaos.verbose, or -chaos.dir=DIR, which keeps the logs.
CHAOS_FLAGS ?=

# Other sizes than make volume's; internal/volume/main_test.go says which there are.
VOLUME_FLAGS ?=

FUZZTIME ?= 30s

# Linting is patient work: it leaves the machine to whoever needs it.
NICE := nice -n 10

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/banyan
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/banyan

.PHONY: demo
demo: deps build ## run the example shop behind Banyan, in the foreground (YES=1: ask nothing)
	exec bin/banyan demo --dir $(DEMO_DIR) --ready-file $(DEMO_DIR)/ready.json $(DEMO_FLAGS)

.PHONY: deps
deps: ## install the servers that demo and tests run (YES=1: ask nothing)
	@scripts/deps servers

.PHONY: test
test: ## run all tests with the race detector (PKG=./legacy/... for some)
	@scripts/deps servers compiler services
	go test $(TEST_FLAGS) $(PKG)

.PHONY: format
format: ## format all Go code
	$(NICE) go tool golangci-lint fmt

.PHONY: lint
lint: lint-format lint-vet lint-golangci ## check format, vet and lint

.PHONY: lint-format lint-vet lint-golangci
lint-format:
	$(NICE) go tool golangci-lint fmt --diff
lint-vet:
	$(NICE) go vet ./...
lint-golangci:
	$(NICE) go tool golangci-lint run ./...

.PHONY: generate
generate: ## write generated code again, wherever a buf.gen.yaml is
	@scripts/generate

.PHONY: bench
bench: ## compare facade and mirror with hand-written ones, side by side (BENCH_FLAGS='-part mirror' for one)
	@scripts/deps servers
	go run ./bench $(BENCH_FLAGS)

.PHONY: chaos
chaos: ## disturb the mirror, then shifts, for minutes, and compare (CHAOS_SEED=7 repeats a plan)
	@scripts/deps servers
	go test -count=1 -timeout 2h -v -run '^(TestChaos|TestShifts)$$' ./internal/chaos -args -chaos.seed=$(CHAOS_SEED) -chaos.length=$(CHAOS_LENGTH) -chaos.rows=$(CHAOS_ROWS) $(CHAOS_FLAGS)

.PHONY: volume
volume: ## take Banyan and the kit through what is large, and measure memory (VOLUME_FLAGS='-volume.behind 200000')
	@scripts/deps servers
	go test -count=1 -timeout 2h -v ./internal/volume -args -volume.orders=100000 -volume.hot=1m -volume.large=100 -volume.behind=1000000 $(VOLUME_FLAGS)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME) $(PKG)

.PHONY: clean
clean: ## remove what was built and the demo's data
	rm -rf bin .cache
