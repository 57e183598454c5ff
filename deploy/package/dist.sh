#!/bin/sh
# dist.sh PYTHON OUT WHEELS   Into OUT: source archive, wheels, Debian package, bill of materials. WHEELS: what wheels.sh fetched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/common.sh"
: "${SOURCE_DATE_EPOCH:=$("$1" -c 'from protocol.host import program; print(program.built_s())')}"
[ "$SOURCE_DATE_EPOCH" != None ] || die \
    "no commit to take the time from: set SOURCE_DATE_EPOCH" "无提交时间，请设置 SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH
"$here/wheel.sh" "$1" "$2"
"$here/deb.sh" "$1" "$2" "$3"
"$1" -m deploy.supply.sbom "$2/wattline.cdx.json"
