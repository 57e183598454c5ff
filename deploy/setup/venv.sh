#!/bin/sh
# venv.sh PYTHON VENV   Make the virtual environment and bring it to exactly what requirements.lock says.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
python=$1 venv=$2
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making the virtual environment / 建立虚拟环境: $venv"
    "$python" -m venv --clear "$venv"
fi
say "installing the locked packages (hashes checked) / 安装锁定的依赖"
"$venv/bin/pip" --disable-pip-version-check install --quiet --quiet --require-hashes --requirement "$here/requirements.lock"
