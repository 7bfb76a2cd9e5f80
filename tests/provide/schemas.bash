# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# The schemas of Google's and Azure's providers of Terraform, as providers that have nothing else: tests/infra/schemas makes
# them of what the registries of packages have. For tests/services, which says what each function is.

# A folder that `init -plugin-dir` takes. Its name has a sum of what it is made from.
infra-schemas_made() {
    printf '%s\n' "$cache/infra-schemas-$(
        {
            cat "$here"/infra/schemas/{extract.py,main.go,go.mod,go.sum}
            version cdktf-provider-google
            version cdktf-provider-azurerm
        } | cksum | cut -d' ' -f1
    )"
}
infra-schemas_find() {
    local folder
    for folder in "${AUTOPGO_TEST_INFRA_SCHEMAS:-}" "$(infra-schemas_made)"; do
        if [ -n "$folder" ] && compgen -G "$folder/*/hashicorp/azurerm/*/*/terraform-provider-azurerm*" >/dev/null; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}
infra-schemas_install() {
    local made work provider release folder
    command -v python3 >/dev/null || { say "infra-schemas: no python3 to make them with"; return 1; }
    install go || return 1
    made=$(infra-schemas_made) work=$(mktemp -d "$cache/infra-schemas-XXXXXX") || return 1
    (
        set -e
        cd "$here/infra/schemas"
        "$(go_find)" build -trimpath -ldflags '-s -w' -o "$work/provider" .
        for provider in google azurerm; do
            python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
                "cdktf-cdktf-provider-$provider==$(version "cdktf-provider-$provider")"
            python3 extract.py "$work"/cdktf_cdktf_provider_"$provider"-*.whl "$provider" >"$work/schema.json"
            release=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])' <"$work/schema.json")
            folder=$work/made/registry.terraform.io/hashicorp/$provider/$release/$("$(go_find)" env GOOS)_$(
                "$(go_find)" env GOARCH
            )
            mkdir -p "$folder"
            cp "$work/provider" "$folder/terraform-provider-${provider}_v$release"
            mv "$work/schema.json" "$folder/schema.json"
        done
        # All of it or nothing.
        rm -rf "$made" && mv "$work/made" "$made"
    )
    local failed=$?
    rm -rf "$work"
    return $failed
}
infra-schemas_env() { printf 'export AUTOPGO_TEST_INFRA_SCHEMAS=%q\n' "$1"; }
