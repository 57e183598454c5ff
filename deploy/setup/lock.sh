#!/bin/sh
# lock.sh PYTHON   Turn every *.in of this folder into its *.lock: exact versions, hashes of every file, no registry host.
# Existing pins stay unless the .in asks for something else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
python=$1
[ -x build/lock/bin/uv ] || { "$python" -m venv build/lock && build/lock/bin/pip install --quiet --quiet uv==0.13.9; }
for name in requirements typings-esp32 typings-rp2 zcbor; do
    say "$name.in -> $name.lock"
    build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
        "$here/$name.in" --output-file "$here/$name.lock"
done
