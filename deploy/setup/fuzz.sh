#!/bin/sh
# fuzz.sh PYTHON FOLDER   Make FOLDER a virtual environment with the fuzzer; Python is the one that cext is compiled for.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
say "fuzzer / 安装模糊测试工具: $2"
"$1" -m venv --clear "$2"
"$2/bin/pip" install --quiet --quiet --disable-pip-version-check --require-hashes -r "$here/fuzz.lock"
