#!/bin/sh
# typings.sh VENV PORT FOLDER   Put MicroPython's stubs for PORT (esp32, rp2) into FOLDER, made anew.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
venv=$1 port=$2 folder=$3
say "installing MicroPython's type stubs for $port / 安装 $port 类型存根"
rm -rf "$folder"
"$venv/bin/pip" --disable-pip-version-check install --quiet --quiet --require-hashes --no-compile --target "$folder" \
    --requirement "$here/typings-$port.lock"
