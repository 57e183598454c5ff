#!/bin/sh
# dist.sh PYTHON OUT WHEELS   Into OUT: source archive, wheels, Debian package, bill of materials. WHEELS: what wheels.sh fetched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:=$("$1" -c 'from protocol.host import program; print(program.built_s())')}"
export SOURCE_DATE_EPOCH
"$here/wheel.sh" "$1" "$2"
"$here/deb.sh" "$1" "$2" "$3"
"$1" -m deploy.supply.sbom "$2/wattline.cdx.json"
