# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# What tries the infrastructure. For tests/services, which says what each function is.

# Terraform, with its provider for AWS in a folder that `init -plugin-dir` takes. The program itself is in no package
# registry; the provider is looked for where mirrors lie, and fetched once where Terraform's own registry answers.
terraform_find() {
    local terraform=${AUTOPGO_TEST_TERRAFORM:-$(command -v terraform || true)}
    [ -n "$terraform" ] && [ -x "$terraform" ] && terraform_plugins >/dev/null || return 1
    printf '%s\n' "$terraform"
}
terraform_plugins() {
    local folder
    for folder in "${AUTOPGO_TEST_TERRAFORM_PLUGINS:-}" "$cache/terraform-plugins" "$HOME/.terraform.d/plugins" \
        /usr/local/share/terraform/plugins /opt/*; do
        if [ -n "$folder" ] && compgen -G "$folder/*/hashicorp/aws" >/dev/null; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}
terraform_install() {
    local terraform=${AUTOPGO_TEST_TERRAFORM:-$(command -v terraform || true)}
    [ -n "$terraform" ] || { say "terraform: it is in no package registry; install it, or name it by AUTOPGO_TEST_TERRAFORM"; return 1; }
    (unset TF_CLI_CONFIG_FILE && "$terraform" -chdir="$here/../infra/aws" providers mirror "$cache/terraform-plugins")
}
terraform_env() { printf 'export AUTOPGO_TEST_TERRAFORM=%q AUTOPGO_TEST_TERRAFORM_PLUGINS=%q\n' "$1" "$(terraform_plugins)"; }

# Looks for what is left open in infrastructure. It pins what it leans on, and so has an environment of its own.
checkov_find() {
    local checkov
    for checkov in "${AUTOPGO_TEST_CHECKOV:-}" "$(command -v checkov || true)" "$cache/checkov/bin/checkov"; do
        if [ -n "$checkov" ] && [ -x "$checkov" ]; then
            printf '%s\n' "$checkov"
            return
        fi
    done
    return 1
}
checkov_install() {
    command -v python3 >/dev/null || { say "checkov: no python3 to run it with"; return 1; }
    python3 -m venv "$cache/checkov" && "$cache/checkov/bin/pip" install --quiet "checkov==$(version checkov)"
}
checkov_env() { printf 'export AUTOPGO_TEST_CHECKOV=%q\n' "$1"; }
