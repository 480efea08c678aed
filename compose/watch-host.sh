#!/bin/sh
# Runs a command as a user that owns nothing here and has, of all that root may, two capabilities: those by which
# processes of other users are seen. Measured with everything else dropped, on another user's process: without
# DAC_READ_SEARCH its descriptors are not even counted, without SYS_PTRACE nothing tells which of them are sockets.
#
# It takes root to hand them on. Started as anyone else (EXPORTER_UID) it runs the command without them.
set -eu
[ "$(id -u)" = 0 ] || exec "$@"
watch=+dac_read_search,+sys_ptrace
exec setpriv --reuid 65532 --regid 65532 --clear-groups \
    "--bounding-set=-all,$watch" "--inh-caps=-all,$watch" "--ambient-caps=-all,$watch" "$@"
