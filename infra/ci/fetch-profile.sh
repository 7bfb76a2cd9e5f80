#!/bin/sh
# Fetches an application's merged profile for `go build -pgo`, with a POSIX shell, curl and gzip alone.
#
#   AUTOPGO_API_TOKEN=... fetch-profile.sh --api-url https://autopgo.example --app checkout
#
#   --api-url URL          the server, a path in it included            [AUTOPGO_API_URL]
#   --app NAME             the application                              [AUTOPGO_APP]
#   --output FILE          where the profile goes                       [AUTOPGO_OUTPUT, default.pgo]
#   --form compact|full    compact is smaller, and the binary the same  [compact]
#   --cache FOLDER         keeps the profile, so that one that has not changed is not sent again, and so that there is one
#                          when the server is away                      [none]
#   --fail-on-error BOOL   ends with 1 where there is no profile fresh from the server  [false]
#   --time-limit SECONDS   for everything together                      [60]
#   --tries COUNT          at most                                      [3]
#   --max-bytes COUNT      a larger profile is refused                  [67108864]
#   --outputs FILE         appends what came of it, a line each: found, from_cache, path, flag, age_seconds, size_bytes,
#                          sha256, identity
#   --prefix TEXT          before each of those names                   [none]
#
# The token is AUTOPGO_API_TOKEN, or lies in the file AUTOPGO_TOKEN_FILE; further headers are in AUTOPGO_HEADER, one a line.
# They go to the origin of --api-url and nowhere else, whatever a redirect says, and never onto a command line.
#
# A build must not depend on this: whatever is wrong is a warning, and the build goes on with the profile of the cache if
# there is one, and otherwise as if this had not been run.
{ set +x; } 2>/dev/null # The token is in here: nobody traces it.
set -u
umask 077
LC_ALL=C
export LC_ALL

api=${AUTOPGO_API_URL:-} app=${AUTOPGO_APP:-} output=${AUTOPGO_OUTPUT:-default.pgo}
form=compact cache='' strict=false limit=60 tries=3 most=67108864 outputs='' prefix=''
token=${AUTOPGO_API_TOKEN:-} token_file=${AUTOPGO_TOKEN_FILE:-} more=${AUTOPGO_HEADER:-}
unset AUTOPGO_API_TOKEN AUTOPGO_HEADER
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || { echo "fetch-profile: $1 wants a value" >&2 && exit 2; }
    case $1 in
    --api-url) api=$2 ;;
    --app) app=$2 ;;
    --output) output=$2 ;;
    --form) form=$2 ;;
    --cache) cache=$2 ;;
    --fail-on-error) strict=$2 ;;
    --time-limit) limit=$2 ;;
    --tries) tries=$2 ;;
    --max-bytes) most=$2 ;;
    --outputs) outputs=$2 ;;
    --prefix) prefix=$2 ;;
    *) echo "fetch-profile: there is no $1; the options are at the head of this file" >&2 && exit 2 ;;
    esac
    shift 2
done

work='' draft=''
clean() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$draft" ] || rm -f "$draft"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

now() { date +%s; }
deadline=0 kept='' facts=''

# --- What is said, and where.

# A line of the log; on GitHub a warning is an annotation, in which these three have to be written otherwise.
warn() {
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        printf '::warning title=autopgo::%s\n' "$(printf '%s' "$*" | sed 's/%/%25/g' | tr -d '\r\n')"
    else
        printf 'autopgo: warning: %s\n' "$*" >&2
    fi
}

# The outcome, for whoever builds with it: found, from_cache, age, size, sha256, identity.
tell() {
    if [ "$1" = true ]; then path=$(absolute "$output") flag=-pgo=$path; else path='' flag=-pgo=auto; fi
    if [ "$1" = true ]; then
        printf 'autopgo: %s: %s bytes, sha256 %s, %s s old%s\n' "$output" "$4" "$5" "${3:-?}" \
            "$([ "$2" = false ] || printf ', from the cache')" >&2
    fi
    [ -n "$outputs" ] || return 0
    for line in "found=$1" "from_cache=$2" "path=$path" "flag=$flag" "age_seconds=$3" "size_bytes=$4" "sha256=$5" "identity=$6"; do
        printf '%s%s\n' "$prefix" "$line"
    done >>"$outputs"
}

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$(pwd)" "$1" ;;
    esac
}

# The end where something is wrong: with the profile of the cache, or without one.
give_up() {
    if [ "$strict" = true ]; then
        if [ "${GITHUB_ACTIONS:-}" = true ]; then
            printf '::error title=autopgo::%s\n' "$(printf '%s' "$*" | sed 's/%/%25/g' | tr -d '\r\n')"
        else
            printf 'autopgo: %s\n' "$*" >&2
        fi
        tell false false '' '' '' ''
        exit 1
    fi
    if [ -n "$kept" ] && place "$kept"; then
        warn "$*; the build goes on with the profile of the cache"
        report true
    else
        warn "$*; the build goes on without a profile"
        tell false false '' '' '' ''
    fi
    exit 0
}

# --- Files.

size() { wc -c <"$1" | tr -d ' '; }

sum() {
    if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d' ' -f1
}

# Puts a copy of a file in the place of --output, whole or not at all.
place() {
    draft=$(mktemp "$(dirname "$output")/.autopgo.XXXXXX" 2>/dev/null) &&
        cat "$1" >"$draft" && chmod 644 "$draft" && mv -f "$draft" "$output" && draft=''
}

# What is known of a profile of the cache: etag, modified, sha256, identity.
fact() { sed -n "s/^$1=//p" "$facts"; }

# Says what lies in the cache by now; $1: whether it came from there.
report() {
    age=$(fact modified)
    [ -z "$age" ] || age=$(($(now) - age))
    [ -z "$age" ] || [ "$age" -ge 0 ] || age=0
    tell true "$1" "$age" "$(size "$kept")" "$(fact sha256)" "$(fact identity)"
}

# --- HTTP.

# The origin of a URL, for comparing.
origin() { printf '%s' "$1" | sed -n 's|^\([Hh][Tt][Tt][Pp][Ss]\{0,1\}://[^/?#]*\).*|\1|p' | tr '[:upper:]' '[:lower:]'; }

# A line of curl's configuration: `name = "value"`.
setting() { printf '%s = "%s"\n' "$1" "$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')"; }

# What curl is told of URL $1, by a way that nobody sees. Only our server is told who asks, and what we have.
settings() {
    setting url "$1"
    [ "$(origin "$1")" = "$home" ] || return 0
    if [ -n "$token" ]; then setting header "Authorization: Bearer $token"; fi
    printf '%s\n' "$more" | while IFS= read -r line; do
        if [ -n "$line" ]; then setting header "$line"; fi
    done
    if [ -n "$etag" ]; then setting header "If-None-Match: $etag"; fi
}

# One request of URL $1, with more of curl's options: sets `status` (000: no answer), `next` (where a redirect leads) and
# `ended` (curl's exit code).
ask() {
    asked=$1
    shift
    status=000 next='' ended=28
    left=$((deadline - $(now)))
    [ "$left" -gt 0 ] || return 0
    rm -f "$work/body" "$work/headers"
    settings "$asked" >"$work/settings"
    # A shell says aloud that a file has become too large: that is said below.
    { answer=$(
        # Whatever is sent, and however, a file does not grow much beyond what is allowed.
        ulimit -f $((most / 512 + 64))
        exec curl --disable --config "$work/settings" --globoff --silent --proto '=http,https' --connect-timeout 5 \
            --max-time "$left" --max-filesize "$most" --user-agent autopgo-fetch-profile \
            --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code} %{redirect_url}' "$@"
    ); } 2>/dev/null
    ended=$?
    rm -f "$work/settings"
    case $answer in [0-9][0-9][0-9]' '*) status=${answer%% *} next=${answer#* } ;; esac
}

# The value of a header of the last answer.
header() {
    [ -f "$work/headers" ] || return 0
    tr -d '\r' <"$work/headers" | awk -v name="$1:" '
        /^HTTP\// { value = "" }
        tolower(substr($0, 1, length(name))) == name { value = substr($0, length(name) + 1) }
        END { gsub(/^[ \t]+|[ \t]+$/, "", value); print value }'
}

# The profile from URL $1, wherever it lies.
follow() {
    at=$1 hops=0
    while ask "$at"; do
        case $status in 301 | 302 | 303 | 307 | 308) ;; *) return 0 ;; esac
        hops=$((hops + 1))
        if [ -z "$next" ] || [ "$hops" -gt 5 ]; then status=000 ended=47 && return 0; fi
        # What was safe on its way stays so.
        case $(origin "$at") in https:*)
            case $(origin "$next") in https:*) ;; *) status=000 ended=1 && return 0 ;; esac
            ;;
        esac
        at=$next
    done
}

# Whether the last request may go otherwise when it is made again.
may_pass() {
    case $status in
    408 | 425 | 429 | 500 | 502 | 503 | 504) return 0 ;;
    000) case $ended in 1 | 3 | 47 | 63 | 153) return 1 ;; *) return 0 ;; esac ;;
    200) [ "$ended" -ne 0 ] && [ "$ended" -ne 63 ] && [ "$ended" -ne 153 ] && [ "$ended" -ne 23 ] ;;
    *) return 1 ;;
    esac
}

# What our server said of its refusal. A stranger's page is not shown: it may repeat what it was sent.
said() {
    [ -f "$work/body" ] || return 0
    said=$(head -c 2000 "$work/body" | tr -d '\r\n' | sed -n 's/^{"message":"\([^"\\]*\)","code":[0-9]*}$/\1/p' | tr -cd ' -~' | cut -c1-300)
    if [ -n "$token" ]; then case $said in *"$token"*) said='' ;; esac; fi
    [ -z "$said" ] || printf ': %s' "$said"
}

# Whether a file is a profile: gzip, and within it one of the fields that a profile can begin with.
is_profile() {
    [ "$(od -An -tx1 -N2 "$1" | tr -d ' \n')" = 1f8b ] || return 1
    case $(gzip -dc <"$1" 2>/dev/null | head -c 1 | od -An -tx1 | tr -d ' \n') in
    0a | 12 | 1a | 22 | 2a | 32 | 38 | 40 | 48 | 50 | 5a | 60 | 68 | 6a | 70) ;;
    *) return 1 ;;
    esac
}

# `Wed, 21 Oct 2015 07:28:00 GMT` in seconds since 1970: `date` reads it another way on every system.
seconds() {
    printf '%s\n' "$1" | awk '
        $NF == "GMT" && NF == 6 && split($5, clock, ":") == 3 {
            month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $3) + 2) / 3
            if (month != int(month) || month < 1) exit
            # Years that begin in March: the leap day is their last.
            year = $4 - (month < 3); age = year % 400; era = (year - age) / 400
            day = int((153 * (month + (month < 3 ? 9 : -3)) + 2) / 5) + $2 - 1
            day += age * 365 + int(age / 4) - int(age / 100) + era * 146097 - 719468
            printf "%.0f\n", day * 86400 + clock[1] * 3600 + clock[2] * 60 + clock[3]
        }'
}

# The build identity in an ETag of the compact form.
identity() { printf '%s\n' "$1" | sed -n 's#^W/"\([0-9a-f]\{64\}\)"$#\1#p'; }

# --- The story.

case $strict in true | false) ;; *) strict=false && give_up "--fail-on-error is true or false" ;; esac
for tool in curl gzip awk od mktemp; do
    command -v "$tool" >/dev/null || give_up "there is no $tool here"
done
for number in "$limit" "$tries" "$most"; do
    case $number in '' | *[!0-9]* | ????????????*) give_up "--time-limit, --tries and --max-bytes are whole numbers" ;; esac
done
case $form in compact | full) ;; *) give_up "--form is compact or full" ;; esac
case $app in '' | *[!a-z0-9-]*) give_up "--app is the name of an application: a-z, 0-9 and -" ;; esac
case $output$outputs in *"
"*) give_up "--output and --outputs have a line break in them" ;; esac
[ -n "$output" ] && [ -d "$(dirname "$output")" ] || give_up "the folder of --output ($output) is not there"
home=$(origin "$api")
[ -n "$home" ] || give_up "--api-url is the server's: http://... or https://..."
if [ -n "$token_file" ]; then
    [ -r "$token_file" ] || give_up "the token file $token_file cannot be read"
    token=$(cat "$token_file")
fi
token=$(printf '%s' "$token" | tr -d ' \t\r\n')
case $token in *[!!-~]*) give_up "the token has characters that no header can carry" ;; esac

work=$(mktemp -d) || give_up "there is no room for temporary files"
url=${api%/}/api/profile/$app
[ "$form" = full ] || url="$url?form=compact"
# The cache's name for it says of which server it is.
folder=$work/none
if [ -n "$cache" ]; then folder=$cache; fi
if ! mkdir -p "$folder"; then
    warn "the cache $folder cannot be made" && folder=$work/none && mkdir -p "$folder"
fi
entry=$folder/$app.$form.$(printf '%s' "$url" | cksum | cut -d' ' -f1)
facts=$entry.facts
etag=''
# One that was torn, or changed by somebody, is none.
if [ -f "$entry.pgo" ] && [ -f "$facts" ] && [ "$(sum "$entry.pgo")" = "$(fact sha256)" ]; then
    kept=$entry.pgo etag=$(fact etag)
fi

deadline=$(($(now) + limit))
try=1 pause=1
while :; do
    follow "$url"
    may_pass || break
    [ "$try" -lt "$tries" ] && [ $(($(now) + pause)) -lt "$deadline" ] || break
    sleep "$pause"
    try=$((try + 1)) pause=$((pause * 2))
done

case $status in
200) ;;
304)
    [ -n "$kept" ] || give_up "the server says that nothing has changed, but there is nothing here"
    place "$kept" || give_up "$output cannot be written"
    report true
    exit 0
    ;;
000)
    case $ended in
    28) give_up "the server did not answer within $limit s" ;;
    63 | 153) give_up "the profile is larger than $most bytes" ;;
    1 | 3 | 47) give_up "the server leads to where this does not follow" ;;
    *) give_up "the server cannot be reached (curl ended with $ended)" ;;
    esac
    ;;
404)
    # Of our server this is an answer, not a fault: what the cache has was deleted since, and must not come back.
    case $(head -c 200 "$work/body" 2>/dev/null) in
    '{"message":'*'"code":404'*) kept='' && rm -f "$entry.pgo" "$facts" ;;
    esac
    give_up "no profile of $app (404$(said))"
    ;;
401 | 403) give_up "the server does not let this in ($status$(said))" ;;
*) give_up "the server answered $status$(said)" ;;
esac

[ "$ended" -eq 0 ] || case $ended in
23 | 63 | 153) give_up "the profile is larger than $most bytes" ;;
*) give_up "the profile did not come whole (curl ended with $ended)" ;;
esac
[ -f "$work/body" ] && [ "$(size "$work/body")" -le "$most" ] || give_up "the profile is larger than $most bytes, or empty"
mv "$work/body" "$work/profile"
is_profile "$work/profile" || give_up "what the server sent is no profile; is something between it and this?"

etag_now=$(header etag)
modified=$(seconds "$(header last-modified)")
identity=$(identity "$etag_now")
# The whole form does not say what binary it makes; the compact one does, and is not sent for that.
if [ "$form" = full ]; then
    etag=''
    ask "${api%/}/api/profile/$app?form=compact" --head
    [ "$status" != 200 ] || identity=$(identity "$(header etag)")
fi
# The facts last: without them, or beside another file, they are of nothing.
if ! { rm -f "$facts" && cat "$work/profile" >"$entry.new" && mv -f "$entry.new" "$entry.pgo"; } 2>/dev/null; then
    warn "the cache $folder cannot be written"
    entry=$work/entry facts=$work/entry.facts && mv "$work/profile" "$entry.pgo"
fi
kept=$entry.pgo
printf 'etag=%s\nmodified=%s\nsha256=%s\nidentity=%s\n' "$etag_now" "$modified" "$(sum "$kept")" "$identity" >"$facts"
place "$kept" || give_up "$output cannot be written"
report false
