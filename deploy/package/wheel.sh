#!/bin/sh
# wheel.sh PYTHON OUT   Into OUT: the source archive; the wheel for this machine, with the decoder that the checkout has, which
# is the one that was tested; and a wheel for any machine, the technician's tool without it. The same bytes for the same commit.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/common.sh"
python=$1 out=$2
rm -rf "$out"
mkdir -p "$out/compiled"
out=$(cd "$out" && pwd)
source=$("$here/sources.sh" "$python" "$out")
say "wheels of $(basename "$source") / 生成 wheel"
for module in cext/*.so; do
    strip --strip-debug -o "$out/compiled/${module##*/}" "$module"   # it names the folder that it was compiled in
done
for compiled in none "$out/compiled"; do
    WATTLINE_COMPILED=$compiled "$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation \
        --no-index --wheel-dir "$out" "$source"
    rm -rf "$source/build" "$source"/*.egg-info
done
rm -rf "$out/src" "$out/compiled"
