# shellcheck shell=bash disable=SC2154 # here, cache: of tests/services
# Event buses, and the clients of their makers. For tests/services, which says what each function is.

# The server of NATS, with JetStream in it. Its tests start as many as they need by themselves, for some stop theirs in
# the middle: so here it is a tool.
nats-server_find() {
    local nats
    for nats in "${AUTOPGO_TEST_NATS_SERVER:-}" "$(command -v nats-server || true)" "$cache/tools/bin/nats-server"; do
        if [ -n "$nats" ] && [ -x "$nats" ]; then
            printf '%s\n' "$nats"
            return
        fi
    done
    return 1
}
nats-server_install() {
    install go || return 1
    (cd / && GOBIN="$cache/tools/bin" "$(go_find)" install -ldflags '-s -w' "github.com/nats-io/nats-server/v2@$(version nats-server)")
}
nats-server_env() { printf 'export AUTOPGO_TEST_NATS_SERVER=%q\n' "$1"; }

# The last client of Microsoft's that speaks the REST API of Service Bus, for Python: it tries the peer that is in this
# repository.
azure-servicebus_find() {
    local python
    for python in "${AUTOPGO_TEST_AZURE_SERVICEBUS:-}" "$cache/azure-servicebus/bin/python"; do
        if [ -n "$python" ] && "$python" -c 'from azure.servicebus import ServiceBusService' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}
azure-servicebus_install() {
    command -v python3 >/dev/null || { say "azure-servicebus: there is no python3"; return 1; }
    python3 -m venv "$cache/azure-servicebus" &&
        "$cache/azure-servicebus/bin/pip" install --quiet "azure-servicebus==$(version azure-servicebus)"
}
azure-servicebus_env() { printf 'export AUTOPGO_TEST_AZURE_SERVICEBUS=%q\n' "$1"; }

# SNS and SQS, and much of the rest of AWS. It asks nobody who they are, and would listen for the whole network.
ministack_find() {
    local python
    for python in "${AUTOPGO_TEST_MINISTACK:-}" "$cache/ministack/bin/python"; do
        if [ -n "$python" ] && "$python" -c 'import ministack' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}
ministack_install() {
    command -v python3 >/dev/null || { say "ministack: no python3 to run it with"; return 1; }
    python3 -m venv "$cache/ministack" &&
        "$cache/ministack/bin/pip" install --quiet "ministack==$(version ministack)"
}
# It keeps everything in memory; the folder is what its process is known by.
ministack_start() {
    BIND_HOST=127.0.0.1 GATEWAY_PORT=$2 STATE_DIR=$1 S3_DATA_DIR=$1 TMPDIR=$1 LOG_LEVEL=WARNING \
        exec "$(ministack_find)" -c 'import sys; sys.argv.pop(); from ministack.app import main; main()' "$1"
}
ministack_ready() { answers "$1" /_ministack/health 200; }

# Pub/Sub, as Google tries its own Go client on it: a program of a few lines around a package of that client, in
# tests/pstest. The name of what is built has a sum of what it is built from.
pstest_built() { printf '%s\n' "$cache/tools/bin/pstest-$(cat "$here"/pstest/main.go "$here"/pstest/go.{mod,sum} | cksum | cut -d' ' -f1)"; }
pstest_find() {
    local pstest
    for pstest in "${AUTOPGO_TEST_PSTEST:-}" "$(pstest_built)"; do
        if [ -n "$pstest" ] && [ -x "$pstest" ]; then
            printf '%s\n' "$pstest"
            return
        fi
    done
    return 1
}
pstest_install() {
    install go || return 1
    (cd "$here/pstest" && "$(go_find)" build -trimpath -ldflags '-s -w' -o "$(pstest_built)" .)
}
# It keeps everything in memory; the folder is what its process is known by.
pstest_start() { exec "$(pstest_find)" "127.0.0.1:$2" "$1"; }
pstest_ready() { connects "$1"; }

# Pub/Sub, as Google emulates it for whoever develops with it. It comes with the SDK of Google Cloud alone, which is looked
# for where `gcloud` is and where Debian's package puts it.
pubsub-emulator_find() {
    local sdk jar
    command -v java >/dev/null || return 1
    sdk=$(command -v gcloud || true)
    [ -z "$sdk" ] || sdk=$(dirname "$(dirname "$(readlink -f "$sdk")")")
    for jar in "${AUTOPGO_TEST_PUBSUB_EMULATOR:-}" "$sdk"/platform/pubsub-emulator/lib/*-all.jar \
        /usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib/*-all.jar; do
        if [ -f "$jar" ]; then
            printf '%s\n' "$jar"
            return
        fi
    done
    return 1
}
pubsub-emulator_install() { say "pubsub-emulator: no registry has it; gcloud components install pubsub-emulator"; return 1; }
# It keeps everything in memory; the folder is what its process is known by.
pubsub-emulator_start() {
    exec java -Xmx256m -Djava.io.tmpdir="$1" -jar "$(pubsub-emulator_find)" --host=127.0.0.1 --port="$2"
}
pubsub-emulator_ready() { answers "$1" / 200; }

# Kafka itself, from the jars that it is released as. It is a server for most, and some tests start brokers of their own,
# to stop them.
kafka_home() { printf '%s\n' "$cache/kafka-$(version kafka)"; }
kafka_find() {
    local jars
    command -v java >/dev/null || return 1
    for jars in "${AUTOPGO_TEST_KAFKA:-}" "$(kafka_home)/jars"; do
        if [ -n "$jars" ] && ls "$jars"/kafka_*.jar >/dev/null 2>&1; then
            printf '%s\n' "$jars"
            return
        fi
    done
    return 1
}
kafka_install() {
    local home
    home=$(kafka_home)
    if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            say "kafka: no java, or no mvn, and nobody here who may install them"
            return 1
        fi
        apt-get update -qq && apt-get install -qq -y --no-install-recommends default-jre-headless maven || return 1
    fi
    rm -rf "$home" && mkdir -p "$home"
    cat >"$home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>autopgo</groupId><artifactId>kafka</artifactId><version>0</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$(version kafka)</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$(version slf4j)</version></dependency>
</dependencies></project>
POM
    # Into its place when it is whole.
    (cd "$home" && mvn --quiet --batch-mode --no-transfer-progress -Dstyle.color=never -DincludeScope=runtime \
        -DoutputDirectory="$home/new" \
        "org.apache.maven.plugins:maven-dependency-plugin:$(version maven-dependency-plugin):copy-dependencies") &&
        mv "$home/new" "$home/jars"
}
kafka_start() { AUTOPGO_TEST_KAFKA=$(kafka_find) exec "$here/kafka-broker" "$1" "$2" "$(free_port)"; }
# It is asked which versions it speaks, as every client begins.
kafka_ready() {
    local length
    length=$(
        { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit
        printf '\0\0\0\12\0\22\0\0\0\0\0\1\377\377' >&3
        timeout 2 head -c 4 <&3 | wc -c
    )
    [ "$length" = 4 ]
}
