# Headroom: `make run` and `make test` do all their own set-up on a fresh Debian 12.
#
# Compile every dependency as seldom as possible; on two cores that is what the time goes into:
#   release        once: the server that `make build` ships and the browser tests use, `cargo test`, and the bundler; clippy's own
#                  pass over the dependencies reads metadata only and makes no code
#   wasm-release   once: the page, small rather than fast
#   dev            only for `make dev`

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Debian's own toolchain, even where rustup stands first on the path.
export PATH := /usr/bin:$(PATH)
unexport RUSTUP_TOOLCHAIN CARGO_TARGET_DIR RUSTFLAGS

NATIVE := --workspace --exclude headroom-frontend
ARGS ?=

.PHONY: help run build site dev test fmt-check lint test-rust test-no-op test-server test-browser fmt coverage bench clean setup setup-test

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | column -t -s "$$(printf '\t')"

run: build ## set up, build, start with a simulated cluster (ARGS="--port 3001 --speed 120")
	target/release/headroom demo $(ARGS)

build: site ## the one file: target/release/headroom, with the site inside
	cargo build --release -p headroom-server

site: setup ## the site only: target/site
	cargo build --release -p headroom-bundle
	target/release/headroom-bundle

dev: setup ## quick turn-around: unoptimised, assets read from disk
	cargo build -p headroom-bundle
	target/debug/headroom-bundle --dev
	cargo run -p headroom-server -- demo $(ARGS)

test: setup-test fmt-check lint test-rust build ## format, clippy, Rust tests, and the release build

fmt-check:
	cargo fmt --all --check

lint: setup ## clippy, warnings are errors, for the server and for the browser
	cargo clippy --release $(NATIVE) --all-targets -- -D warnings
	cargo clippy --profile wasm-release -p headroom-app -p headroom-frontend --features headroom-app/hydrate --target wasm32-unknown-unknown -- -D warnings

test-rust: setup ## unit and integration tests of everything below the binary
	cargo test --release -p headroom-model -p headroom-engine -p headroom-infra -p headroom-store -p headroom-charts -p headroom-service

test-no-op: setup ## 200 no-op changes: how many are rolled back (three minutes)
	cargo test --release -p headroom-service --test no_op -- --ignored

# The server's tests serve the page, so the site comes first.
test-server: site ## the binary's own stories: command line, REST, sign-in
	cargo test --release -p headroom-server -p headroom-app --features headroom-app/ssr

test-browser: setup-test build ## the loop in a real browser, against the release binary
	npm --prefix end2end test

fmt: ## format all Rust code
	cargo fmt --all

coverage: ## lines covered by tests in model, engine, service, store (at least 85 %)
	scripts/toolchain.sh coverage
	LLVM_COV=/usr/lib/llvm-22/bin/llvm-cov LLVM_PROFDATA=/usr/lib/llvm-22/bin/llvm-profdata cargo llvm-cov \
	  -p headroom-model -p headroom-engine -p headroom-service -p headroom-store --fail-under-lines 85

bench: setup ## criterion benchmarks
	cargo bench $(NATIVE) --benches

clean: ## remove everything that was built
	cargo clean
	rm -rf frontend/node_modules end2end/node_modules end2end/out

setup:
	@scripts/toolchain.sh

setup-test:
	@scripts/toolchain.sh test
