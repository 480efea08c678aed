#!/bin/sh
# Installs the missing ones of debian-packages.txt for the groups named (demo, test, bench).
#
#   scripts/install_packages.sh demo            fails where something is missing and cannot be installed
#   scripts/install_packages.sh --try demo test says so and goes on
#
# The services that these packages bring (Prometheus on 9090, Alertmanager on 9093, nginx on 80, …) are not
# wanted here: they are neither started now nor at the next boot. A service that was there before is left alone.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"

must=1
if [ "${1:-}" = --try ]; then
    must=0
    shift
fi
if [ $# -eq 0 ]; then
    echo "usage: scripts/install_packages.sh [--try] GROUP..." >&2
    exit 2
fi

missing=$(
    for group in "$@"; do
        while read -r package command for_group; do
            case $package in '#'* | '') continue ;; esac
            [ "$for_group" = "$group" ] || continue
            if [ "$package" = python3-venv ]; then
                "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || echo "$package"
            else
                command -v "$command" >/dev/null || echo "$package"
            fi
        done <debian-packages.txt
    done | sort -u | tr '\n' ' '
)
[ -n "$missing" ] || exit 0

cannot() {
    echo "not installed: ${missing% } ($1; install them by: apt-get install $missing)" >&2
    [ "$must" = 0 ] || exit 2
    exit 0
}
command -v apt-get >/dev/null || cannot "there is no apt-get here"
[ "$(id -u)" = 0 ] || cannot "only root can install them"

echo "installing ${missing% }" >&2
guard=/usr/sbin/policy-rc.d
guarded=0
release() { [ "$guarded" = 0 ] || rm -f "$guard"; }
trap release EXIT
trap 'exit 130' INT TERM
if [ ! -e "$guard" ]; then
    # 101: the action is forbidden; the packages' services are then not started.
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    guarded=1
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    cannot "apt-get failed, see above"
fi
rm -f "$log"
for package in $missing; do
    case $package in
        nginx-light) services=nginx ;;
        # containerd may have been there before, and does nothing by itself.
        docker.io) services="docker.socket docker" ;;
        *) services=$package ;;
    esac
    for service in $services; do
        case $service in *.*) unit=$service ;; *) unit=$service.service ;; esac
        if [ -e "/lib/systemd/system/$unit" ] && command -v systemctl >/dev/null; then
            systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
        elif [ -e "/etc/init.d/$service" ]; then
            update-rc.d "$service" disable >/dev/null 2>&1 || true
        fi
    done
done
