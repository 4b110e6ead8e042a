# Every verb works on Debian 12 with Go, git and make; demo, test, apifuzz, conformance, bench, chaos and soak install what is missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO      ?= go
ARGS    ?=
# The revision goes into the program, except where git refuses to read a checkout of another user.
VCS     := $(shell git status >/dev/null 2>&1 && echo auto || echo false)
LINT    := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Where tests write what they have proved.
PROOFS  := $(CURDIR)/bin/proofs
# The packages whose tests start servers, and all others.
SERVED   = $(shell grep -rl --include='*.go' --exclude-dir='.?*' '^//go:build servers' . | xargs -n1 dirname | sort -u)
ALONE    = $(filter-out $(SERVED:./%=postern/%),$(shell $(GO) list ./...))
# Time for one fuzz target.
FUZZTIME ?= 30s
# Schedules of faults, the first of them, and messages of each; one schedule alone.
SEEDS    ?= 50
FIRST    ?= 1
MESSAGES ?= 2000
SEED     ?=
# How many requests the fuzzer of the operator's side sends at least; SEED says which.
REQUESTS ?= 10000
# How long the soak lasts.
DURATION ?= 30m

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## play a conversation through real servers and stay up (ARGS=--once: play it and exit)
	@deploy/dev/install.sh $(if $(findstring --once,$(ARGS)),demo,page)
	@$(MAKE) --no-print-directory build
	bin/postern demo $(ARGS)

test: ## install what is missing, then run every test, also on the real servers
	@deploy/dev/install.sh test
	$(GO) vet ./...
	$(GO) vet -tags servers ./...
	@$(MAKE) --no-print-directory prove
	$(GO) run ./xmpp/conformance/table -check -proofs $(PROOFS)
	@echo "all tests passed, those on Prosody, ejabberd, Redis and Redis Cluster included"

# prove runs each package's tests once: those that start servers one after the other, since a server wants its port and its share.
prove:
	@mkdir -p bin && rm -f $(PROOFS)
	POSTERN_CONFORMANCE=$(PROOFS) $(GO) test -shuffle=on $(ALONE)
	POSTERN_CONFORMANCE=$(PROOFS) $(GO) test -tags servers -p 1 -shuffle=on -timeout 15m $(SERVED)
	cd deploy/packages/schemas && $(GO) test -shuffle=on ./...

check: ## vet, lint and the race detector, without the servers
	$(GO) vet ./...
	$(LINT) run
	$(GO) test -race -shuffle=on -count=3 ./...

build: ## the program, as bin/postern
	$(GO) build -buildvcs=$(VCS) -o bin/postern ./cmd/postern

package: ## programs, Debian packages, container images, Helm chart, SBOM and SHA256SUMS, in bin/package
	@deploy/dev/install.sh package
	deploy/packages/build.sh

lint: ## golangci-lint with .golangci.yml
	$(LINT) run

fuzz: ## every fuzz target for FUZZTIME each (30s)
	@deploy/dev/fuzz.sh "$(FUZZTIME)"

apifuzz: ## REQUESTS (10000) by a fuzzer of the field at the operator's side of the real program; SEED=n: another run
	@deploy/dev/install.sh apifuzz
	POSTERN_REQUESTS=$(REQUESTS) POSTERN_SEED=$(or $(SEED),1) $(GO) test -tags servers -count=1 -run '^TestAPIFuzz$$' -timeout 60m -v ./cmd/internal/apifuzz

bench: ## Go benchmarks, then the whole path on both servers and all simulators (ARGS="-contacts 10,100000"); figures also in bin/artefacts/bench.json
	@deploy/dev/install.sh bench
	$(GO) test -run '^$$' -bench . -benchmem ./...
	@mkdir -p bin/artefacts
	$(GO) test -tags servers,bench -count=1 -run '^TestBench$$' -timeout 60m -v ./cmd/internal/bench -args -out $(CURDIR)/bin/artefacts/bench.json $(ARGS)

chaos: ## kill the gateway at every point, load all platforms, play SEEDS schedules of faults with MESSAGES each (SEED=n,m: those alone)
	@deploy/dev/install.sh test
	POSTERN_SEEDS=$(SEEDS) POSTERN_FIRST=$(FIRST) POSTERN_MESSAGES=$(MESSAGES) POSTERN_SEED=$(SEED) $(GO) test -tags servers,chaos -ldflags=-checklinkname=0 \
		-p 1 -count=1 -run '$(if $(SEED),^TestChaosRandom$$,^TestChaos)' -timeout 90m -v $(ARGS) ./cmd/$(if $(SEED),internal/chaos,...)

soak: ## steady load for DURATION (30m); samples and their graph go to bin/artefacts
	@deploy/dev/install.sh demo
	POSTERN_DURATION=$(DURATION) POSTERN_ARTEFACTS=$(CURDIR)/bin/artefacts $(GO) test -tags servers,soak -count=1 -run '^TestSoak$$' -timeout 26h -v ./cmd/internal/chaos

conformance: ## run every test and write xmpp/CONFORMANCE.md from what they prove
	@deploy/dev/install.sh test
	@$(MAKE) --no-print-directory prove
	$(GO) run ./xmpp/conformance/table -proofs $(PROOFS)

clean: ## delete what the other verbs made in the checkout
	rm -rf bin .run .cache 2>/dev/null || sudo rm -rf --one-file-system .cache
	$(GO) clean -testcache

.PHONY: help demo test prove check build package lint fuzz apifuzz bench chaos soak conformance clean
