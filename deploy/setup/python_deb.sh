#!/bin/sh
# python_deb.sh PYTHON ROOT OUT   Make OUT/pythonX.Y.deb of the Python that PYTHON is of: itself, its standard library, and those of
# this machine's libraries that it loads and ROOT has not. For a clean Debian (root.sh) that has no package of this version.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
python=$1 root=$2 out=$3
minor=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
standard=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
program=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
libraries=usr/lib/$(gcc -print-multiarch)
deb=$out/$minor
say "this Debian has no $minor: a package of $program / 本机 Debian 无 $minor，用现有解释器打包"
mkdir -p "$deb/DEBIAN" "$deb/usr/bin" "$deb/$libraries"
cp "$program" "$deb/usr/bin/$minor"
mkdir "$deb/usr/lib/$minor"
tar -C "$standard" --exclude=./*-packages --exclude=./config-* --exclude=./ensurepip --exclude=./idlelib --exclude=test \
    --exclude=tests --exclude=__pycache__ -cf - . | tar -C "$deb/usr/lib/$minor" -xf -
ldd "$program" "$standard"/lib-dynload/*.so | awk '$2 == "=>" && $3 ~ "^/" { print $1, $3 }' | sort -u | while read -r name file; do
    [ -e "$root/$libraries/$name" ] || [ -e "$root/${libraries#usr/}/$name" ] || cp -L "$file" "$deb/$libraries/$name"
done
cat >"$deb/DEBIAN/control" <<END
Package: $minor
Version: $("$python" -c 'import platform; print(platform.python_version())')
Architecture: $(dpkg --print-architecture)
Maintainer: Wattline <wattline@localhost>
Description: a Python that this machine has beside its Debian's, for tests
END
dpkg-deb --root-owner-group -Znone --build "$deb" "$deb.deb" >/dev/null
rm -rf "$deb"
