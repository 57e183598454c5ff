#!/bin/sh
# sanitized.sh VENV FOLDER   Compile cext a second time, into FOLDER, with gcc's address and undefined-behaviour sanitizers:
# for the tests, which run against it. Their run-time libraries come with gcc itself (Debian: gcc-12 needs libgcc-12-dev,
# which needs libasan8 and libubsan1).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
venv=$1 folder=$2
say "compiling cext with sanitizers / 以检测模式编译 cext: $folder"
mkdir -p "$folder/cext"
WATTLINE_SANITIZE=1 "$venv/bin/python" setup.py --quiet build_ext --build-lib "$folder" --build-temp "$folder/temp"
cp cext/__init__.py "$folder/cext/"
