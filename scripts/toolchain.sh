#!/usr/bin/env bash
# Installs what building Headroom needs and this machine lacks; a second run finds everything in place and does nothing.
#
#   scripts/toolchain.sh            compilers, linker, the wasm32 standard library, Node and the packages of frontend/
#   scripts/toolchain.sh test       the above, and Chromium, curl and PostgreSQL with the packages of end2end/
#   scripts/toolchain.sh coverage   the above, and cargo-llvm-cov
#
# On Debian 12 it uses Debian's own Rust 1.96 (rustc-web) for everything, server and browser: one toolchain, one target directory.
# Debian ships no standard library for wasm32, so it is built once from Debian's rust-web-src. Elsewhere it checks and says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="/usr/bin:$PATH"
unset RUSTUP_TOOLCHAIN CARGO_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
want=${1:-build}

say() { printf '\033[1m» %s\033[0m\n' "$*" >&2; }
die() { printf '\nheadroom: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else die "run as root (or install sudo) once, to do: $*"; fi; }

# Installs the Debian packages among the arguments that are not there yet.
packages() {
  local missing=() package
  for package; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "Installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    die "apt could not install ${missing[*]}; try: apt-get install ${missing[*]}"
}

# True when a small library both compiles and links for the browser with the rustc at hand: a stale or missing std fails here.
wasm_works() {
  local out; out=$(mktemp -d)
  printf 'pub fn f() -> String { String::new() }' | rustc --edition 2024 --crate-type cdylib --target wasm32-unknown-unknown -o "$out/probe.wasm" - >/dev/null 2>&1
  local status=$?; rm -rf "$out"; return $status
}

# Builds std for wasm32 from the sources of the installed rustc and puts it into the compiler's own tree.
wasm_std() {
  local work sysroot target
  sysroot=$(rustc --print sysroot); target="$sysroot/lib/rustlib/wasm32-unknown-unknown/lib"
  say "Building the standard library for wasm32 (once, about a minute)"
  work=$(mktemp -d); mkdir "$work/src"; : > "$work/src/lib.rs"
  printf '[package]\nname = "wasm-std"\nversion = "0.0.0"\nedition = "2024"\n[profile.release]\npanic = "unwind"\nopt-level = "s"\n' > "$work/Cargo.toml"
  (cd "$work" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 cargo build --quiet --release --target wasm32-unknown-unknown \
    --target-dir "$work/target" -Z build-std=std,panic_abort,panic_unwind,proc_macro,test)
  rm -f "$work"/target/wasm32-unknown-unknown/release/deps/libwasm_std*
  as_root mkdir -p "$target" "$sysroot/lib/rustlib/x86_64-unknown-linux-gnu/bin"
  as_root sh -c "rm -f '$target'/*.rlib && cp '$work'/target/wasm32-unknown-unknown/release/deps/*.rlib '$target'/"
  as_root ln -sf /usr/lib/llvm-22/bin/lld "$sysroot/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"
  rm -rf "$work"
  wasm_works || die "std for wasm32 was built but does not link; is lld-22 installed?"
}

# npm ci in a folder, unless its lock file is the one that was installed last.
npm_packages() {
  [ -f "$1/package-lock.json" ] || return 0
  local seal; seal=$(sha256sum < "$1/package-lock.json")
  [ "$(cat "$1/node_modules/.seal" 2>/dev/null)" = "$seal" ] && return
  say "Installing the npm packages of $1/"
  npm --prefix "$1" ci --loglevel=error --no-audit --no-fund >/dev/null
  printf '%s\n' "$seal" > "$1/node_modules/.seal"
}

# A PostgreSQL server that tests start themselves; Debian's own cluster is neither made nor started.
postgres() {
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && return
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    as_root sh -c 'mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf'
  packages postgresql
}

node_ok() { have node && have npm && [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ]; }

if have apt-get && [ "$(dpkg --print-architecture)" = amd64 ]; then
  packages rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-22 mold gcc libc6-dev pkg-config ca-certificates git
  node_ok || packages nodejs npm
  wasm_works || wasm_std
  case $want in test | coverage) have chromium || packages chromium; have curl || packages curl; postgres ;; esac
  [ "$want" != coverage ] || packages llvm-22
else
  have rustc && have cargo && have mold && have gcc && node_ok ||
    die "this is not Debian on x86-64, so please install: Rust 1.96 or newer with clippy and rustfmt, gcc, mold, Node 18 or newer with npm."
  wasm_works || die "the browser target is missing: rustup target add wasm32-unknown-unknown"
  case $want in test | coverage) have chromium && have curl && have initdb ||
    die "the tests need Chromium on the PATH as 'chromium', curl, and PostgreSQL's initdb." ;; esac
fi

npm_packages frontend
case $want in test | coverage) npm_packages end2end ;; esac
if [ "$want" = coverage ] && ! cargo llvm-cov --version >/dev/null 2>&1; then
  say "Installing cargo-llvm-cov"
  cargo install --quiet --locked cargo-llvm-cov
fi
