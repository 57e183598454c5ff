#!/bin/sh
# tools.sh FOLDER   Make, of Debian's packages, what the bench borrows from others; nothing is installed into the system.
#   FOLDER/mbpoll            a Modbus master that nobody here wrote
#   FOLDER/libfaketime.so.1  preloaded into the VM: the terminal's clock, and what its TLS checks certificates by
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
rm -rf "$1"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
say "mbpoll, libfaketime: unpacking into $1 / 解包到私有目录"
unpack_debs "$folder" mbpoll libfaketime
cd "$folder"
ln -s "$(find root -name libfaketime.so.1 | head -n 1)" libfaketime.so.1
library=$(find root -name 'libmodbus.so*' | head -n 1)
# shellcheck disable=SC2016  # $0, $PWD and $d are the launcher's own
printf '#!/bin/sh\ncase $0 in /*) d=${0%%/*} ;; *) d=$PWD/${0%%/*} ;; esac\nLD_LIBRARY_PATH="$d/%s" exec "$d/root/usr/bin/mbpoll" "$@"\n' \
    "${library%/*}" >mbpoll
chmod +x mbpoll
version=$(./mbpoll -V 2>&1) || die "mbpoll does not start: $version" "mbpoll 无法启动: $version"
say "modbus master: mbpoll $version"
