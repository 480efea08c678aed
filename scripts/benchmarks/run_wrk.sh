#!/usr/bin/env bash
# run_wrk.sh: wrk against one endpoint of the router. Arguments go to wrk untouched:
#
#   scripts/benchmarks/run_wrk.sh -t10 -c50 -d30s --latency
#
# Environment (no value: as if it were not set):
#   WRK_TARGET        http://localhost:8080
#   WRK_ENDPOINT      /v1/chat/completions
#   WRK_MODEL         gpt-oss:20b; the body then asks this model to answer "ping"
#   WRK_BODY_JSON     the whole body, sent byte for byte
#   WRK_SCRIPT        a wrk script (chat_openai.lua beside this file, or your own), as wrk's own -s: it decides
#                     what is sent, and all of its hooks run
#   WRK_API_KEY       sent as "Authorization: Bearer …"; or
#   WRK_API_KEY_FILE  a file whose first line is the key
#   WRK_HEADERS       further headers, a line each: "Name: value"
#   WRK_LABEL         what the run is called at the exporter (run_wrk)
#   WRK_VERBOSE       1: say on stderr whether the run is watched live
#   SOAK_EXPORTER     http://127.0.0.1:9877; where an exporter answers there the run is live on its /metrics.
#                     SOAK_EXPORTER= (empty) turns that off
#
# Standard output is wrk's, and below it p95 and p99.9, which wrk does not print; pipe it into wrk_parse.py.
# wrk's own --timeout is 2 s: it ends no request, but leaves slower ones out of the latencies; for slow models
# give --timeout 120s. Body, headers, key and what follows a ? in the URL stand on no command line.
#
# Ctrl-C ends the load; wrk then prints what it has. Exit code: wrk's; 2 where wrk is missing or a variable
# is wrong.

set -eu

complain() {
  printf 'run_wrk.sh: %s\n' "$1" >&2
}

fail() {
  complain "$1"
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
live_script=$here/../../exporter/load/live.lua

target=${WRK_TARGET:-http://localhost:8080}
endpoint=${WRK_ENDPOINT:-/v1/chat/completions}
url=${target%/}/${endpoint#/}
case $target in
  *@*) fail 'WRK_TARGET: wrk sends no user and password of a URL; give the key with WRK_API_KEY or a header with WRK_HEADERS' ;;
esac
# What follows the path may hold a key: wrk gets it from its script.
query=
case $url in *[?]*) query=?${url#*[?]} url=${url%%[?]*} ;; esac

# What wrk makes of its arguments, as far as it matters here; they themselves are passed on as they are.

threads=2 connections=10 duration=10 script=${WRK_SCRIPT:-} is_question=
options=() rest=() awaited=

note_option() {
  case $1 in
    t) threads=$2 ;;
    c) connections=$2 ;;
    d) duration=$2 ;;
    s) script=$2 ;;
  esac
}

# The letter of a long option that takes a value (wrk accepts any beginning that is unique).
letter_of() {
  case $1 in
    --c*) echo c ;;
    --d*) echo d ;;
    --th*) echo t ;;
    --s*) echo s ;;
    --ti*) echo T ;;
    --hea*) echo H ;;
  esac
}

note_cluster() {
  local cluster=$1 letter
  while [ -n "$cluster" ]; do
    letter=${cluster:0:1} cluster=${cluster:1}
    case $letter in
      [tcdsHT])
        if [ -n "$cluster" ]; then note_option "$letter" "$cluster"; else awaited=$letter; fi
        return
        ;;
      [hv?]) is_question=1 ;;
    esac
  done
}

for argument in "$@"; do
  if [ ${#rest[@]} -gt 0 ]; then
    rest+=("$argument")
    continue
  fi
  if [ -n "$awaited" ]; then
    note_option "$awaited" "$argument"
    awaited=
  else
    case $argument in
      --)
        rest+=("$argument")
        continue
        ;;
      --he | --hel | --help | --v*) is_question=1 ;;
      --*=*) note_option "$(letter_of "$argument")" "${argument#*=}" ;;
      --*) awaited=$(letter_of "$argument") ;;
      -?*) note_cluster "${argument#-}" ;;
    esac
  fi
  options+=("$argument")
done

# "10k" as wrk reads numbers, "2m" as it reads times; nothing where it is neither.
number_of() {
  [[ $1 =~ ^([0-9]{1,9})([kKmMgG]?)$ ]] || return 0
  case ${BASH_REMATCH[2]} in
    '') echo $((10#${BASH_REMATCH[1]})) ;;
    [kK]) echo $((10#${BASH_REMATCH[1]} * 1000)) ;;
    [mM]) echo $((10#${BASH_REMATCH[1]} * 1000000)) ;;
    [gG]) echo $((10#${BASH_REMATCH[1]} * 1000000000)) ;;
  esac
}

seconds_of() {
  [[ $1 =~ ^([0-9]{1,9})([sSmMhH]?)$ ]] || return 0
  case ${BASH_REMATCH[2]} in
    '' | [sS]) echo $((10#${BASH_REMATCH[1]})) ;;
    [mM]) echo $((10#${BASH_REMATCH[1]} * 60)) ;;
    [hH]) echo $((10#${BASH_REMATCH[1]} * 3600)) ;;
  esac
}

command -v wrk >/dev/null || fail 'wrk is not installed (Debian, Ubuntu: apt install wrk)'
if [ -n "$script" ] && [ ! -r "$script" ]; then
  fail "WRK_SCRIPT: $script cannot be read"
fi
if [ -z "${WRK_API_KEY:-}" ] && [ -n "${WRK_API_KEY_FILE:-}" ]; then
  read -r key 2>/dev/null <"$WRK_API_KEY_FILE" || [ -n "${key:-}" ] ||
    fail "WRK_API_KEY_FILE: $WRK_API_KEY_FILE cannot be read, or its first line is empty"
  unset key
fi
# For wrk alone, no other child.
export -n WRK_API_KEY WRK_HEADERS
case $query in ?*) export -n WRK_TARGET WRK_ENDPOINT ;; esac
line_number=0
header_pattern='^([[:blank:]]*|[!#$%&*+.^_`|~0-9A-Za-z'"'"'-]+:.*)$'
while IFS= read -r line; do
  line_number=$((line_number + 1))
  [[ ${line%$'\r'} =~ $header_pattern ]] ||
    fail "WRK_HEADERS: line $line_number is not \"Name: value\""
done <<<"${WRK_HEADERS:-}"

# Everything is made; from here on it must be put away.

folder=
run=
wrk=
interrupted=

# shellcheck disable=SC2317  # called by the trap below
finish() {
  trap '' INT TERM HUP
  if [ -n "$run" ]; then
    announce finished >/dev/null || complain "the exporter at $exporter does not know that the run has ended"
  fi
  [ -z "$folder" ] || rm -rf "$folder"
}

# shellcheck disable=SC2317  # called by the trap below
interrupt() {
  interrupted=1
  [ -n "$wrk" ] || exit 130
  kill -INT "$wrk" 2>/dev/null || :
}

# What a run that was killed left. A lock on the folder, held by this shell and its wrk, ends with them.
remove_left_over() {
  local left
  for left in "${TMPDIR:-/tmp}"/run_wrk.??????; do
    if [ -d "$left" ] && [ ! -L "$left" ] && [ -O "$left" ]; then
      # Another's start may remove it first.
      { (flock -n 9 && rm -rf -- "$left") 9<"$left"; } 2>/dev/null || :
    fi
  done
}

trap finish EXIT
trap interrupt INT TERM HUP
umask 077
if command -v flock >/dev/null; then
  remove_left_over
fi
until [ -n "$folder" ]; do
  folder=$(mktemp -d "${TMPDIR:-/tmp}/run_wrk.XXXXXX")
  exec 9<"$folder"
  # Another's start may have taken it for one that is left over.
  if command -v flock >/dev/null && ! { flock -n 9 && [ -d "$folder" ]; }; then
    folder=
  fi
done

# The request, and what wrk does not print. WRK_SCRIPT's text runs as if it had been given to wrk itself.
cat >"$folder/run.lua" <<'LUA'
local function setting(name)
  local value = os.getenv(name)
  if value ~= "" then return value end
end

local function fail(message)
  io.stderr:write("run_wrk.sh: ", message, "\n")
  os.exit(2)
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

local query = setting("RUN_WRK_QUERY")
if query then
  wrk.path = wrk.path .. query
  local init = wrk.init
  function wrk.init(arguments)
    arguments[0] = arguments[0] .. query
    return init(arguments)
  end
end
local key = setting("WRK_API_KEY")
if not key and setting("WRK_API_KEY_FILE") then
  local file, why = io.open(setting("WRK_API_KEY_FILE"), "rb")
  if not file then fail("WRK_API_KEY_FILE: " .. why) end
  key = file:read("*l"):gsub("%s+$", "")
  file:close()
end
if key and not wrk.headers["Authorization"] then wrk.headers["Authorization"] = "Bearer " .. key end
for line in (setting("WRK_HEADERS") or ""):gmatch("[^\r\n]+") do
  local name, value = line:match("^([^:]+):%s*(.-)%s*$")
  if name then wrk.headers[name] = value end
end

if setting("WRK_SCRIPT") then
  local chunk, why = loadfile(setting("WRK_SCRIPT"))
  if not chunk then fail("WRK_SCRIPT: " .. why) end
  local ok, problem = pcall(chunk)
  if not ok then fail("WRK_SCRIPT: " .. tostring(problem)) end
else
  wrk.method = "POST"
  wrk.body = setting("WRK_BODY_JSON") or string.format(
    '{"model":%s,"messages":[{"role":"user","content":"ping"}]}', quoted(setting("WRK_MODEL") or "gpt-oss:20b"))
  if not wrk.headers["Content-Type"] then wrk.headers["Content-Type"] = "application/json" end
end

-- A time as wrk writes it.
local function time_text(us)
  local unit, next_unit, scale = "us", "ms", 1000
  if us >= 1e6 then us, unit, next_unit, scale = us / 1e6, "s", "m", 60 end
  if us >= scale * 0.85 then us, unit = us / scale, next_unit end
  local text = string.format("%.2f%s", us, unit)
  return #unit == 1 and text .. " " or text
end

local done_by_script = done
function done(summary, latency, requests)
  if done_by_script then done_by_script(summary, latency, requests) end
  io.write("  Latency Distribution, beyond wrk's own\n")
  for _, percent in ipairs({ 95, 99.9 }) do
    io.write(string.format("%7s%%%10s\n", percent, time_text(latency:percentile(percent))))
  end
end
LUA
export WRK_SCRIPT=$script

# Live, where an exporter answers.

say_whether_live() {
  if [ -t 2 ] || [ -n "${WRK_VERBOSE:-}" ]; then complain "$1"; fi
}

# SECONDS METHOD PATH BODY: the exporter's answer; fails where there is none in that time. The body holds the
# run's secret, so it stands on no command line.
ask_exporter() {
  # shellcheck disable=SC2016  # another shell's variables
  printf '%s' "$4" | timeout "$1" bash -c '
    LC_ALL=C
    body=$(cat)
    exec 3<>"/dev/tcp/$1/$2" || exit 1
    case $1 in *:*) host=[$1] ;; *) host=$1 ;; esac
    printf "%s %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" \
      "$3" "$4" "$host" "$2" "${#body}" "$body" >&3
    cat <&3
  ' ask_exporter "$exporter_host" "$exporter_port" "$2" "$3" 2>/dev/null
}

json_string() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# The model that is asked, for the labels of the metrics.
model_sent() {
  local text='' pattern='[Mm][Oo][Dd][Ee][Ll]\\?"?[[:space:]]*[=:][[:space:]]*\\?["'\'']([^"'\''\\%]+)["'\''\\]'
  if [ -n "$script" ]; then
    if [ -n "${WRK_MODEL:-}" ]; then
      echo "$WRK_MODEL"
      return
    fi
    # Without lines that are comments.
    text=$(tr -d '\0' <"$script" | sed '/^[[:space:]]*--/d')
  elif [ -n "${WRK_BODY_JSON:-}" ]; then
    text=$WRK_BODY_JSON
    pattern='"model"[[:space:]]*:[[:space:]]*"([^"\\]+)"'
  else
    echo "${WRK_MODEL:-gpt-oss:20b}"
    return
  fi
  if [[ $text =~ $pattern ]]; then echo "${BASH_REMATCH[1]}"; else echo unknown; fi
}

live_version=5
version_pattern="\"version\": ?$live_version[,}]"
ingest_port_pattern='"ingest_port": ?([0-9]+)'
error_pattern='"error": ?"([^"]+)"'

# PHASE: announces the run to the exporter; prints the UDP port of its ingest, or why the run is refused.
announce() {
  local answer
  answer=$(ask_exporter 3 PUT "/api/runs/$run" "$announcement,\"phase\":\"$1\"}") || return 1
  if [[ $answer =~ $ingest_port_pattern ]]; then
    echo "${BASH_REMATCH[1]}"
    return
  fi
  if [[ $answer =~ $error_pattern ]]; then
    local reason=${BASH_REMATCH[1]}
    [[ $answer =~ $version_pattern ]] || reason='it is of another release than this script'
    echo "$reason"
  fi
  return 1
}

lua=$folder/run.lua
exporter=${SOAK_EXPORTER-http://127.0.0.1:9877}
if [ -n "$exporter" ] && [ -z "$is_question" ]; then
  url_pattern='^http://(\[([0-9A-Fa-f:.]+)]|([^]/:@?#[]+))(:([0-9]{1,5}))?/?$'
  if [[ ! $exporter =~ $url_pattern ]]; then
    # What stands before an @ or behind a ? may be a password.
    case $exporter in
      *@* | *[?#]*) fail 'SOAK_EXPORTER: no password is taken from it; give a URL like http://127.0.0.1:9877' ;;
    esac
    fail "SOAK_EXPORTER: $exporter is not a URL like http://127.0.0.1:9877"
  fi
  exporter_host=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
  exporter_port=${BASH_REMATCH[5]:-80}
  threads=$(number_of "$threads") connections=$(number_of "$connections") duration=$(seconds_of "$duration")
  healthy=$(ask_exporter 1 GET /-/healthy '') || healthy=
  if [[ ! $healthy =~ ^HTTP/1\.[01]\ 200 ]]; then
    say_whether_live "no exporter answers at $exporter; the run is not live"
  elif [ -z "$threads" ] || [ -z "$connections" ] || [ -z "$duration" ] || [ ! -r "$live_script" ]; then
    say_whether_live 'the run is not live'
  else
    model=$(model_sent)
    case $model in
      openai:* | google:* | anthropic:*) route=${model%%:*} ;;
      *) route=local ;;
    esac
    host=${target#*://}
    host=${host%%[/?#]*}
    run=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    announcement="{\"version\":$live_version,\"run\":\"$run\",\"token\":\"$token\",\"scenario\":\"$route\""
    announcement+=",\"engine\":\"wrk\",\"pairs\":[{\"route\":\"$route\",\"model\":$(json_string "$model")}]"
    announcement+=",\"target\":$(json_string "${target%%://*}://$host")"
    announcement+=",\"connections\":$connections,\"label\":$(json_string "${WRK_LABEL:-run_wrk}")"
    announcement+=",\"start_timestamp_seconds\":$(date +%s),\"planned_duration_seconds\":$duration"
    announcement+=',"stall_after_seconds":30'
    if port=$(announce load); then
      export SOAK_TOKEN=$token SOAK_INGEST_HOST=$exporter_host SOAK_INGEST_PORT=$port
      export SOAK_THREADS=$threads SOAK_CONNECTIONS=$connections SOAK_USER_SCRIPT=$lua
      unset SOAK_BODY_FILE SOAK_HEADERS_FILE SOAK_QUERY_FILE SOAK_SUMMARY_FILE SOAK_DATAGRAMS_FILE
      lua=$live_script
      say_whether_live "the run is live at $exporter/metrics"
    else
      run=
      say_whether_live "the exporter at $exporter does not take the run${port:+ ($port)}; it is not live"
    fi
  fi
fi

# In the background, so that a signal to this script reaches wrk at once. (Bash keeps the status of a child
# that ended while a signal was handled; wait again returns it.)
WRK_API_KEY=${WRK_API_KEY:-} WRK_HEADERS=${WRK_HEADERS:-} RUN_WRK_QUERY=$query \
  wrk ${options[@]+"${options[@]}"} -s "$lua" "$url" ${rest[@]+"${rest[@]}"} &
wrk=$!
while :; do
  interrupted=
  code=0
  wait "$wrk" || code=$?
  [ -n "$interrupted" ] || break
done
exit "$code"
