#!/bin/sh
# Makes tests/fixtures/golden anew, byte for byte; with --check it writes nothing
# and fails if what is committed is not what the reference answers now.
set -eu
cd "$(dirname "$0")"
# One release of Go, so that what it answers does not depend on the machine; `go` fetches it where it is another.
GOTOOLCHAIN=${GOTOOLCHAIN:-go1.26.8}
export GOTOOLCHAIN
go=${AUTOPGO_TEST_GO:-go}
profiles=../fixtures/profiles golden=../fixtures/golden
case "${1:-}" in
'')
    mkdir -p "$golden"
    "$go" run . golden "$profiles" "$golden"
    "$go" run . regexp >"$golden/regexp.json.new"
    mv "$golden/regexp.json.new" "$golden/regexp.json"
    ;;
--check)
    "$go" run . golden -check "$profiles" "$golden"
    "$go" run . regexp -check "$golden/regexp.json"
    echo "golden files: as committed"
    ;;
*)
    echo "usage: golden.sh [--check]" >&2
    exit 2
    ;;
esac
