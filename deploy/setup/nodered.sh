#!/bin/sh
# nodered.sh FOLDER   Install Node-RED into FOLDER, from its lock file (hashes checked); `make bench` compares with it.
# Node.js is the machine's own, or Debian's package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
missing=
command -v node >/dev/null 2>&1 || missing="nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
# shellcheck disable=SC2086  # a list of package names, to be split
[ -z "$missing" ] || "$here/apt_install.sh" $missing
say "Node-RED, to compare with / 安装对比用的 Node-RED: $1 (node $(node --version))"
rm -rf "$1"
mkdir -p "$1"
cp "$here/nodered/package.json" "$here/nodered/package-lock.json" "$1"
# nothing of the packages is run at installation: no binary is built or fetched
(cd "$1" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
