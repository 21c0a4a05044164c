# katprep: make build, make test, make lint, make demo

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOFLAGS_RELEASE = -trimpath -ldflags "-s -w -X main.release=$(VERSION)"
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build test test-fast lint bench demo needs packages test-packages

build: ## one static binary, ./katprep
	CGO_ENABLED=0 go build $(GOFLAGS_RELEASE) -o katprep ./cmd/katprep

test: needs ## every test; tests whose programs are missing say so and are skipped
	go test -timeout 20m ./...
	cd site/browsertest && go test -count=1 -timeout 10m ./...

test-fast: ## the tests that need nothing but Go and Git
	go test -short ./...

needs: ## install what the tests run against, or name what is missing
	@.ci/needs

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt differs"; exit 1; }
	go vet ./...
	cd site/browsertest && go vet ./...
	go run $(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then shellcheck packaging/*.sh .ci/run .ci/needs; else echo "shellcheck is not installed"; fi

bench: ## the figures of docs/benchmarks.md
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./...

demo: build ## a whole patch day on a simulated landscape
	./katprep demo

packages: ## RPM, DEB and APK with everything in dist/, reproducibly
	packaging/build.sh

test-packages: needs ## builds the packages twice and compares, installs, upgrades and removes them
	packaging/test-packages.sh
