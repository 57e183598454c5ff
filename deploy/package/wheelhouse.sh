#!/bin/sh
# wheelhouse.sh PYTHON DIST FOLDER   FOLDER/linux, FOLDER/windows: all that a laptop without a network needs for `wattline field`,
# for the Python version of PYTHON. FOLDER/firmware: each board's application, for `wattline field install --image`. DIST: what
# dist.sh made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/common.sh"
rm -rf "$3"
"$here/wheels.sh" "$1" "$3/linux" field
cp -r "$3/linux" "$3/windows"
"$here/wheels.sh" "$1" "$3/windows" --windows field
"$1" -c 'from gateway.command import main; main()' field image --board esp32s3 --board rp2 --out "$3/firmware" >/dev/null
for system in linux windows; do cp "$2"/wattline-*-none-any.whl "$3/$system"; done
say "on the laptop, with $("$1" -V) / 在笔记本上: pip install --no-index --find-links FOLDER 'wattline[field]'"
