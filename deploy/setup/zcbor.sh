#!/bin/sh
# zcbor.sh PYTHON FOLDER   Make FOLDER a virtual environment with zcbor, apart from the project's own (it needs cbor2 < 6).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
say "CDDL checker / 安装 CDDL 校验工具: $2"
"$1" -m venv --clear "$2"
"$2/bin/pip" install --quiet --quiet --disable-pip-version-check --require-hashes -r "$here/zcbor.lock"
