#!/bin/sh
# wheels.sh PYTHON FOLDER EXTRA...            Fill FOLDER with a wheel of all that wattline with these extras needs here,
# wheels.sh PYTHON FOLDER --windows EXTRA...  or, beside those, on Windows. Each file is checked by its hash in
# requirements.lock; what is published as source alone is built here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/common.sh"
python=$1 folder=$2
shift 2
pip="$python -m pip --disable-pip-version-check"
if [ "$1" = --windows ]; then
    shift
    say "fetching wheels for Windows (hashes checked) / 下载 Windows 依赖 wheel: $folder"
    find "$folder" -name '*-none-any.whl' -prune -o -name '*.whl' -exec rm {} +   # what is for any machine serves there, too
    "$python" -m deploy.package.locked "$@" --platform win32 --but "$folder" >"$folder/needed.lock"
    $pip download --quiet --quiet --no-deps --platform win_amd64 --only-binary=:all: --require-hashes \
        --requirement "$folder/needed.lock" --dest "$folder"
else
    rm -rf "$folder"
    mkdir -p "$folder"
    say "fetching wheels (hashes checked) / 下载依赖 wheel: $folder"
    "$python" -m deploy.package.locked "$@" >"$folder/needed.lock"
    $pip wheel --quiet --quiet --no-deps --no-build-isolation --require-hashes \
        --requirement "$folder/needed.lock" --wheel-dir "$folder"
fi
rm "$folder/needed.lock"
