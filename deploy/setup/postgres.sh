#!/bin/sh
# postgres.sh FOLDER   Make FOLDER/bin, PostgreSQL's programs: the machine's own, or Debian's package. No cluster is made and
# no service is started: tests make a cluster of their own below build/, on loopback.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
folder=$1
found() { # the newest PostgreSQL on this machine that has a server
    find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1
}
[ -n "$(found)" ] || "$here/apt_install.sh" postgresql
[ -n "$(found)" ] || die "no PostgreSQL server found below /usr/lib/postgresql" "未找到 PostgreSQL 服务器程序"
mkdir -p "$folder"
rm -f "$folder/bin"
ln -s "$(dirname "$(found)")" "$folder/bin"
say "database: $("$folder/bin/postgres" --version)"
