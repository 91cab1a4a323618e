# Everything a developer does. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static binary bin/tributary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tributary ./cmd/tributary

.PHONY: run
run: build ## the demo: embedded broker, generated population, report
	./bin/tributary demo

.PHONY: test
test: ## what every change must pass: vet and the tests that need Go only
	$(GO) vet ./...
	$(GO) test ./...

.PHONY: test-kafka
test-kafka: ## the tests on a real Apache Kafka (java and mvn, or Docker)
	$(GO) test -tags kafka -count=1 -timeout 20m $$(git ls-files '*_kafka_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|')

.PHONY: test-long
test-long: ## the protocol's long search, thousands of populations, crashes, and every fuzz target on many inputs
	TRIBUTARY_LONG=1 TRIBUTARY_SCHEDULES=1000000 $(GO) test -count=1 -timeout 25m ./identity
	TRIBUTARY_SEEDS=6000 $(GO) test -count=1 -timeout 15m -run Reference ./stream/local
	TRIBUTARY_SEEDS=20 $(GO) test -count=1 -timeout 15m -run Among ./stream/service
	sh .ci/fuzz 60000x

.PHONY: chaos
chaos: SEEDS ?= 2
chaos: RECORDS ?= 20000
chaos: ## every fault and random pairs of them on three real brokers (SEEDS=2 RECORDS=20000: half an hour)
	TRIBUTARY_SEEDS=$(SEEDS) TRIBUTARY_CHAOS_RECORDS=$(RECORDS) $(GO) test -tags kafka,chaos -count=1 -timeout 24h -run ChaosOnKafka -v ./stream/service

.PHONY: bench
bench: ## figures that compare two things in one run
	$(GO) run ./cmd/tributary bench

.PHONY: generate
generate: ## regenerate the Protobuf code (needs protoc)
	sh schemas/generate.sh

.PHONY: fmt
fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')
