# Headroom: `make run` and `make test` do all their own set-up on a fresh Debian 12.
#
# Compile every dependency as seldom as possible; on two cores that is what the time goes into. Cargo compiles a crate again for
# every profile and for every set of features, and the features depend on the packages that are selected: so there is one
# selection, $(NATIVE), for all that is not the page, and three profiles:
#   release        the server that `make build` ships and the browser tests use, `cargo test`, and the bundler; clippy's own pass
#                  over the dependencies reads metadata only and makes no code
#   wasm-release   the page, small rather than fast
#   dev            only for `make dev`

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Debian's own toolchain, even where rustup stands first on the path.
export PATH := /usr/bin:$(PATH)
unexport RUSTUP_TOOLCHAIN CARGO_TARGET_DIR RUSTFLAGS

NATIVE := --workspace --exclude headroom-frontend
ARGS ?=

.PHONY: help run build site bundler dev test fmt-check lint lint-and-site test-rust test-browser soak promises fmt coverage eval bench deny sbom clean setup setup-test

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | column -t -s "$$(printf '\t')"

run: build ## set up, build, start with a simulated cluster (ARGS="--port 3001 --speed 120")
	target/release/headroom demo $(ARGS)

build: site ## the one file: target/release/headroom, with the site inside
	cargo build --release $(NATIVE) --bin headroom

site: bundler ## the site only: target/site
	target/release/headroom-bundle

bundler: setup
	cargo build --release $(NATIVE) --bin headroom-bundle

dev: setup ## quick turn-around: unoptimised, assets read from disk
	cargo build $(NATIVE) --bin headroom-bundle
	target/debug/headroom-bundle --dev
	cargo run $(NATIVE) --bin headroom -- demo $(ARGS)

test: setup-test fmt-check lint-and-site test-rust test-browser ## everything: format, clippy, Rust tests, the loop in a browser

# Side by side: each has minutes in which it keeps only one core busy.
lint-and-site: bundler
	target/release/headroom-bundle & site=$$!; $(MAKE) lint || { kill $$site; exit 1; }; wait $$site

fmt-check:
	cargo fmt --all --check

lint: setup ## clippy, warnings are errors, for the server and for the browser
	cargo clippy --release $(NATIVE) --all-targets -- -D warnings
	cargo clippy --profile wasm-release -p headroom-app -p headroom-frontend --features headroom-app/hydrate --target wasm32-unknown-unknown -- -D warnings

# The server's tests serve the page, so the site comes first.
test-rust: site ## unit and integration tests
	cargo test --release $(NATIVE)
	STORIES_ON=postgres cargo test --release $(NATIVE) --test stories

# Where the tests of a row are, and what they are called there.
IN_WORKFLOW := at_once clock_jumps faults state_machine
OWN_FILE := kills load
DATABASE ?=
ROW_FILE = $(if $(filter $(IN_WORKFLOW),$(ROW)),workflow,$(if $(filter $(OWN_FILE),$(ROW)),$(ROW),$(if $(filter fuzz_%,$(ROW)),fuzz,$(if $(filter together,$(ROW)),the_loop,contract))))
ROW_TEST = $(if $(filter $(IN_WORKFLOW),$(ROW)),$(ROW)::on_$(DATABASE),$(if $(filter $(OWN_FILE),$(ROW)),on_$(DATABASE),$(ROW)))

soak: setup-test ## one row of docs/RELIABILITY.md at length, going on where it stopped: make soak ROW=kills DATABASE=sqlite
	SOAK=1 cargo test --release $(NATIVE) --test $(ROW_FILE) -- --nocapture $(ROW_TEST)

test-browser: setup-test build ## the loop in a real browser, against the release binary
	npm --prefix end2end test

promises: setup-test build ## carry out all that the demonstration recommends: promised against measured, by strategy (a minute)
	node end2end/promises.js $(ARGS)

fmt: ## format all Rust code
	cargo fmt --all

coverage: ## lines covered by tests in model, engine, service, store (at least 85 %)
	scripts/toolchain.sh coverage
	LLVM_COV=/usr/lib/llvm-22/bin/llvm-cov LLVM_PROFDATA=/usr/lib/llvm-22/bin/llvm-profdata cargo llvm-cov \
	  -p headroom-model -p headroom-engine -p headroom-service -p headroom-store --fail-under-lines 85

# The public data sets, which are not part of this repository: beside it, or where DATA says.
DATA ?= $(firstword $(wildcard data ../data ../*/data))

eval: setup ## score the engine on public data sets, into docs/EVALUATION.md (DATA=folder)
	@[ -d "$(DATA)" ] || { echo "no data sets here: make eval DATA=FOLDER" >&2; exit 2; }
	cargo run --release $(NATIVE) --bin headroom-eval -- --data $(DATA) --write docs/EVALUATION.md

bench: setup ## criterion benchmarks
	cargo bench $(NATIVE) --benches

deny: setup ## licences, sources and banned crates of everything that is depended on (installs cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-deny
	cargo deny check licenses bans sources

sbom: setup ## a software bill of materials: target/headroom.cdx.json (installs cargo-cyclonedx)
	@cargo cyclonedx --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-cyclonedx
	cargo cyclonedx -q -f json --spec-version 1.5 --manifest-path server/Cargo.toml --override-filename headroom.cdx
	mkdir -p target && mv server/headroom.cdx.json target/
	@git ls-files '*/Cargo.toml' | sed 's|Cargo.toml|headroom.cdx.json|' | xargs rm -f

clean: ## remove everything that was built
	cargo clean
	rm -rf frontend/node_modules end2end/node_modules end2end/out

setup:
	@scripts/toolchain.sh

setup-test:
	@scripts/toolchain.sh test
