#!/bin/sh
# tools.sh FOLDER   Make, of Debian's packages, what the bench borrows from others; nothing is installed into the system.
#   FOLDER/mbpoll            a Modbus master that nobody here wrote
#   FOLDER/libfaketime.so.1  preloaded into the VM: the terminal's clock, and what its TLS checks certificates by
#   FOLDER/systemd-analyze   what says of units whether they are right, and what they allow
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
rm -rf "$1"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
say "mbpoll, libfaketime, systemd-analyze: unpacking into $1 / 解包到私有目录"
unpack_debs "$folder" mbpoll libfaketime systemd libsystemd-shared
cd "$folder"
ln -s "$(find root -name libfaketime.so.1 | head -n 1)" libfaketime.so.1
launcher mbpoll usr/bin/mbpoll "$(find root -name 'libmodbus.so*' | head -n 1)" none
launcher systemd-analyze usr/bin/systemd-analyze "$(find root -name 'libsystemd-shared-*.so')" "$(find root -name basic.target)"
version=$(./mbpoll -V 2>&1) || die "mbpoll does not start: $version" "mbpoll 无法启动: $version"
say "modbus master: mbpoll $version"
version=$(./systemd-analyze --version) || die "systemd-analyze does not start: $version" "systemd-analyze 无法启动: $version"
say "units: $(echo "$version" | head -n 1)"
