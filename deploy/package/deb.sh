#!/bin/sh
# deb.sh PYTHON DIST WHEELS   DIST/wattline-gateway_VERSION_ARCHITECTURE.deb, of the wheel in DIST and those in WHEELS.
#
# /usr/lib/wattline/VERSION-COMMIT/   a virtual environment of the machine's own Python, which no other version writes into
# /usr/lib/wattline/wattline          starts that one. dpkg puts files in place in the order of the archive, and this one is
#                                     last: whenever an upgrade is cut off, it starts a program that is whole.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/common.sh"
python=$1 dist=$2 wheels=$3
EXTRAS=console,field,modbus,nats,oidc,postgres  # as the Makefile fetched them: all but Parquet's, as large as all the rest
root=$dist/deb
version=$("$python" -c 'from protocol.host import program; print(program.this().version)')
build=$version-$("$python" -c 'from protocol.host import program; print(program.this().commit)')
minor=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
architecture=$(dpkg --print-architecture)
home=/usr/lib/wattline/$build
packages=$root$home/lib/$minor/site-packages
rm -rf "$root"
mkdir -p "$packages" "$root$home/bin"
umask 022

say "wattline-gateway $version: packages / 安装依赖"
"$python" -m pip --disable-pip-version-check install --quiet --quiet --no-index --find-links "$dist" --find-links "$wheels" \
    --only-binary :all: --no-compile --target "$packages" "wattline[$EXTRAS]==$version" || die \
    "$wheels is not what requirements.lock asks for: make build/stamp/wheels" "请重新下载依赖: make build/stamp/wheels"
rm -rf "$packages/bin"
find "$packages" -name tests -type d -prune -exec rm -rf {} +
# told by what stands in each file, not by its time: the same bytes on every machine
env -u PYTHONPYCACHEPREFIX PYTHONHASHSEED=0 "$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" -p / "$packages"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "${minor#python}" >"$root$home/pyvenv.cfg"
ln -s "/usr/bin/$minor" "$root$home/bin/python3"
printf '#!/bin/sh\nexec %s/bin/python3 -I -c "from gateway.command import main; main()" "$@"\n' "$home" >"$root/usr/lib/wattline/wattline"
chmod 755 "$root/usr/lib/wattline/wattline"

mkdir -p "$root/usr/bin" "$root/lib/systemd/system" "$root/etc/wattline" "$root/usr/share/doc/wattline-gateway/examples" "$root/DEBIAN"
ln -s ../lib/wattline/wattline "$root/usr/bin/wattline"
cp deploy/systemd/wattline-* "$root/lib/systemd/system"
cp deploy/one-machine/gateway.toml "$root/etc/wattline"
cp "$here/debian/copyright" "$root/usr/share/doc/wattline-gateway"
cp docs/operating-a-gateway*.md docs/runbook*.md docs/console*.md docs/scale.md LICENSE "$root/usr/share/doc/wattline-gateway"
cp -r deploy/example deploy/one-machine deploy/several-machines deploy/monitoring deploy/systemd "$root/usr/share/doc/wattline-gateway/examples"

find "$root" -type d -exec chmod 755 {} +
find "$root" -type f ! -perm -100 -exec chmod 644 {} +
find "$root" -name '*.so*' -type f -exec chmod 644 {} +
cp "$here"/debian/conffiles "$here"/debian/p* "$root/DEBIAN"
chmod 755 "$root"/DEBIAN/p*
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@PYTHON@/$minor/" \
    -e "s/@SIZE@/$(find "$root" -type f -printf '%s\n' | awk '{ kib += int($1 / 1024) + 1 } END { print kib }')/" "$here/debian/control" >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print | LC_ALL=C sort | sed 's/^..//' | xargs -d '\n' md5sum >DEBIAN/md5sums)
find "$root" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zzstd --build "$root" "$dist" >/dev/null
rm -rf "$root"
say "$(ls "$dist"/wattline-gateway_*.deb)"
