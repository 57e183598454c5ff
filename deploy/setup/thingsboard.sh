#!/bin/sh
# thingsboard.sh PYTHON FOLDER   Make FOLDER a virtual environment with the ThingsBoard gateway, which `make bench` compares with.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
say "ThingsBoard gateway, to compare with / 安装对比用的 ThingsBoard 网关: $2"
"$1" -m venv --clear "$2"
"$2/bin/pip" install --quiet --quiet --disable-pip-version-check --require-hashes -r "$here/thingsboard.lock"
