# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# Blob stores, and the clients of their makers. For tests/services, which says what each function is.

# Microsoft's own client of Azure Blob Storage, for Python: what it writes ours must read, and the other way round.
azure-sdk_find() {
    local python
    for python in "${AUTOPGO_TEST_AZURE_SDK:-}" "$cache/azure-sdk/bin/python"; do
        if [ -n "$python" ] && "$python" -c 'import azure.storage.blob' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}
azure-sdk_install() {
    command -v python3 >/dev/null || { say "azure-sdk: no python3 to run it with"; return 1; }
    python3 -m venv "$cache/azure-sdk" &&
        "$cache/azure-sdk/bin/pip" install --quiet "azure-storage-blob==$(version azure-storage-blob)"
}
azure-sdk_env() { printf 'export AUTOPGO_TEST_AZURE_SDK=%q\n' "$1"; }

# Azure Blob Storage, as Microsoft emulates it. Of the three services that the package has, the one for blobs.
azurite_find() {
    local azurite
    command -v node >/dev/null || return 1
    for azurite in "${AUTOPGO_TEST_AZURITE:-}" "$cache/azurite/node_modules/azurite/dist/src/blob/main.js"; do
        if [ -n "$azurite" ] && [ -f "$azurite" ]; then
            printf '%s\n' "$azurite"
            return
        fi
    done
    return 1
}
azurite_install() {
    command -v node >/dev/null && command -v npm >/dev/null || { say "azurite: no node, or no npm"; return 1; }
    mkdir -p "$cache/azurite" &&
        npm install --prefix "$cache/azurite" --ignore-scripts --no-audit --no-fund --loglevel=error "azurite@$(version azurite)"
}
azurite_start() {
    AZURITE_ACCOUNTS=$3:$4 exec node "$(azurite_find)" --location "$1" --silent --disableTelemetry --skipApiVersionCheck \
        --blobHost 127.0.0.1 --blobPort "$2"
}
# Any answer will do: it refuses whoever does not sign.
azurite_ready() { answers "$1" / ''; }

# S3 with conditional writes that hold under races. Its tags are no module versions that a proxy has to serve, so the
# lock names a commit: the newest, as the project has ended.
minio_find() {
    local minio
    for minio in "${AUTOPGO_TEST_MINIO:-}" "$(command -v minio || true)" "$cache/tools/bin/minio"; do
        if [ -n "$minio" ] && [ -x "$minio" ]; then
            printf '%s\n' "$minio"
            return
        fi
    done
    return 1
}
minio_install() {
    install go || return 1
    (cd / && GOBIN="$cache/tools/bin" "$(go_find)" install -ldflags '-s -w' "github.com/minio/minio@$(version minio)")
}
minio_start() {
    MINIO_ROOT_USER=$3 MINIO_ROOT_PASSWORD=$4 MINIO_BROWSER=off MINIO_UPDATE=off \
        exec "$(minio_find)" server "$1" --quiet --address "127.0.0.1:$2" --console-address "127.0.0.1:$(free_port)"
}
minio_ready() { answers "$1" /minio/health/ready 200; }

# MinIO's own client: infra/compose/store makes a bucket and its user by it.
mc_find() {
    local mc
    for mc in "${AUTOPGO_TEST_MC:-}" "$cache/tools/bin/mc"; do
        # Not one on PATH: that name is a file manager's, too.
        if [ -n "$mc" ] && [ -x "$mc" ]; then
            printf '%s\n' "$mc"
            return
        fi
    done
    return 1
}
mc_install() {
    install go || return 1
    (cd / && GOBIN="$cache/tools/bin" "$(go_find)" install -ldflags '-s -w' "github.com/minio/mc@$(version mc)")
}
mc_env() { printf 'export AUTOPGO_TEST_MC=%q\n' "$1"; }

# Another S3, independent of the first and small, that checks signatures too: of the S3-alikes that a registry has, the
# only one to do so for headers.
s3s-fs_find() {
    local s3s
    for s3s in "${AUTOPGO_TEST_S3S_FS:-}" "$(command -v s3s-fs || true)" "$cache/tools/bin/s3s-fs"; do
        if [ -n "$s3s" ] && [ -x "$s3s" ]; then
            printf '%s\n' "$s3s"
            return
        fi
    done
    return 1
}
s3s-fs_install() { crate_install s3s-fs --features binary; }
s3s-fs_start() { RUST_LOG=error exec "$(s3s-fs_find)" --host 127.0.0.1 --port "$2" --access-key "$3" --secret-key "$4" "$1"; }
# Any answer will do: it refuses whoever does not sign.
s3s-fs_ready() { answers "$1" / ''; }

# The client that Google maintains, for Python: it tries the fake of Google Cloud Storage that is in this repository.
google-cloud-storage_find() {
    local python
    for python in "${AUTOPGO_TEST_GOOGLE_CLOUD_STORAGE:-}" "$cache/google-cloud-storage/bin/python"; do
        if [ -n "$python" ] && "$python" -c 'import google.cloud.storage' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}
google-cloud-storage_install() {
    command -v python3 >/dev/null || { say "google-cloud-storage: there is no python3"; return 1; }
    python3 -m venv "$cache/google-cloud-storage" &&
        "$cache/google-cloud-storage/bin/pip" install --quiet "google-cloud-storage==$(version google-cloud-storage)"
}
google-cloud-storage_env() { printf 'export AUTOPGO_TEST_GOOGLE_CLOUD_STORAGE=%q\n' "$1"; }

# Google Cloud Storage as others have understood it: another opinion beside our own fake. It asks nobody who they are.
fake-gcs-server_find() {
    local server
    for server in "${AUTOPGO_TEST_FAKE_GCS_SERVER:-}" "$(command -v fake-gcs-server || true)" "$cache/tools/bin/fake-gcs-server"; do
        if [ -n "$server" ] && [ -x "$server" ]; then
            printf '%s\n' "$server"
            return
        fi
    done
    return 1
}
fake-gcs-server_install() {
    install go || return 1
    (cd / && GOBIN="$cache/tools/bin" "$(go_find)" install -ldflags '-s -w' "github.com/fsouza/fake-gcs-server@$(version fake-gcs-server)")
}
# It keeps everything in memory; the folder is what its process is known by.
fake-gcs-server_start() {
    exec "$(fake-gcs-server_find)" -scheme http -host 127.0.0.1 -port "$2" -public-host "127.0.0.1:$2" \
        -backend memory -filesystem-root "$1" -log-level error
}
fake-gcs-server_ready() { answers "$1" '/storage/v1/b?project=p' 200; }
