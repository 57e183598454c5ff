#!/bin/sh
# docs.sh PYTHON FOLDER   Make FOLDER a virtual environment with MkDocs Material, which makes build/site.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
say "documentation tools / 安装文档工具: $2"
"$1" -m venv --clear "$2"
"$2/bin/pip" install --quiet --quiet --disable-pip-version-check --require-hashes -r "$here/docs.lock"
