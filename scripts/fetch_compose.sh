#!/bin/sh
# Compose v2 for the tests, where this machine has none: Debian's package, unpacked under .venv/compose.
# Nothing is installed and apt's own state stays as it is. Where it cannot be had the tests skip what needs it.
set -eu
cd "$(dirname "$0")/.."
folder=$PWD/.venv/compose
plugin=$folder/usr/libexec/docker/cli-plugins/docker-compose

is_v2() { "$@" version 2>/dev/null | grep -Eq 'v?2\.[0-9]+'; }
if [ -x "$plugin" ] || is_v2 docker compose || is_v2 docker-compose; then exit 0; fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 0
. /etc/os-release
[ "${ID:-}" = debian ] || exit 0
suite=trixie
[ "${VERSION_ID:-13}" -le 13 ] || suite=$VERSION_CODENAME
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)
[ -n "$mirror" ] || exit 0
package=$(while read -r name _ group; do [ "$group" = compose ] && echo "$name"; done <debian-packages.txt)

echo "unpacking Debian's Compose v2 under .venv" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
apt() {
    apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}
if ! (cd "$work" && apt update && apt download "$package") >"$work/log" 2>&1; then
    echo "Compose v2 cannot be had: $(tail -n 1 "$work/log")" >&2
    exit 0
fi
dpkg-deb -x "$work/$package"_*.deb "$folder"
