#!/bin/sh
# in_root.sh PROOT FOLDER COMMAND...   Run a command as root of the Debian in FOLDER: by chroot where one is root, otherwise by
# proot, which only makes it look so. The network is this machine's.
set -eu
proot=$1 folder=$2
shift 2
clean="/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive"
# shellcheck disable=SC2086  # several words
if [ "$(id -u)" = 0 ]; then
    [ -e "$folder/dev/null" ] || mknod -m 666 "$folder/dev/null" c 1 3
    exec chroot "$folder" $clean "$@"
else
    exec "$proot" --kill-on-exit -0 -r "$folder" -b /dev -b /proc -w / $clean "$@"
fi
