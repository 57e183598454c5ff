#!/bin/sh
# in_root.sh PROOT FOLDER COMMAND...   Run a command as root of the Debian in FOLDER: by chroot where one is root and may do
# so (in some containers root may not: no devices, no chroot), otherwise by proot, which only makes it look so. The network is
# this machine's.
set -eu
proot=$1 folder=$2
shift 2
clean="/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive"
may_chroot() {
    [ "$(id -u)" = 0 ] || return 1
    [ -e "$folder/dev/null" ] || mknod -m 666 "$folder/dev/null" c 1 3 || return 1
    : >"$folder/dev/null" && chroot "$folder" /bin/true
}
if may_chroot 2>/dev/null; then
    # shellcheck disable=SC2086  # several words
    exec chroot "$folder" $clean "$@"
fi
# proot takes no signal for itself, and would leave behind what it runs: a SIGTERM goes to that
# shellcheck disable=SC2086
"$proot" -0 -r "$folder" -b /dev -b /proc -w / $clean "$@" &
own=$!
trap 'kill $(cat "/proc/$own/task/$own/children") || :' TERM
status=0
wait "$own" || status=$?
while kill -0 "$own" 2>/dev/null; do # the wait was cut short by the signal
    status=0
    wait "$own" || status=$?
done
exit "$status"
