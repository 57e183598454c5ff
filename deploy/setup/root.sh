#!/bin/sh
# root.sh FOLDER PYTHON   Make FOLDER/root.tar: a Debian of its essential packages, adduser and PYTHON's minor version (python3.11)
# from this machine's own mirror; by anyone. Where this Debian has no such version, PYTHON itself is made such a package of it.
# What `make dist` makes is installed in it (tests/e2e/clean_root.py).
# FOLDER/tools/proot: what changes into it where one is not root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
minor=$("$2" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
rm -rf "$1"
mkdir -p "$1/tools"
folder=$(cd "$1" && pwd)
new=$folder/new
archives=var/cache/apt/archives
say "a clean Debian with $minor: installing into $folder / 安装最小 Debian 系统"
unpack_debs "$folder/tools" proot
(cd "$folder/tools" && launcher proot usr/bin/proot "$(find root -name 'libtalloc.so*' | head -n 1)" none)
mkdir -p "$folder/lists/partial" "$new/$archives/partial" "$new/var/lib/dpkg" "$new/dev"
: >"$new/var/lib/dpkg/status"
options="-q -o Dir::State::Lists=$folder/lists -o Dir::Cache::archives=$new/$archives -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
options="$options -o Dir::State::status=$new/var/lib/dpkg/status -o Debug::NoLocking=true -o APT::Sandbox::User=$(id -un)"
# shellcheck disable=SC2086  # several words
apt-get $options update >/dev/null
# shellcheck disable=SC2086
packaged=$(apt-get $options --simulate install "$minor" >/dev/null 2>&1 && echo "$minor") || packaged=
# shellcheck disable=SC2086
apt-get $options -y --no-install-recommends --download-only install '?essential' adduser $packaged >/dev/null || die \
    "the packages of a clean Debian could not be fetched" "无法下载最小 Debian 系统的软件包"
for deb in "$new/$archives"/*.deb; do dpkg -x "$deb" "$new"; done
[ -n "$packaged" ] || "$here/python_deb.sh" "$2" "$new" "$new/$archives"
# as debootstrap does it: unpacked by anyone, then installed by itself
"$here/in_root.sh" "$folder/tools/proot" "$new" sh -c "
    dpkg --force-depends --force-unsafe-io --install /$archives/base-passwd_*.deb &&
    dpkg --force-depends --force-unsafe-io --install /$archives/*.deb" >"$folder/log" 2>&1 || {
    tail -n 15 "$folder/log" >&2
    die "the clean Debian did not install itself" "最小 Debian 系统安装失败"
}
rm -rf "$new/$archives"/*.deb "$new/dev/null"
tar -C "$new" -cf "$folder/root.tar" .
chmod -R u+rwx "$new"
rm -rf "$new" "$folder/lists"
