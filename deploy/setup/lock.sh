#!/bin/sh
# lock.sh PYTHON   Turn every *.in of this folder into its *.lock: exact versions, hashes of every file, no registry host.
# Existing pins stay unless the .in asks for something else. Node-RED's package.json likewise (npm 8.17 or newer).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
python=$1
[ -x build/lock/bin/uv ] || { "$python" -m venv build/lock && build/lock/bin/pip install --quiet --quiet uv==0.13.9; }
uv=$PWD/build/lock/bin/uv
cd "$here"   # the lock files name the .in they come from: relative to this folder
for file in *.in; do
    name=${file%.in}
    say "$file -> $name.lock"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
        "$file" --output-file "$name.lock"
done
say "nodered/package.json -> package-lock.json"
cd nodered
npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
