#!/bin/sh
# sources.sh PYTHON OUT   OUT/wattline-VERSION.tar.gz: what a wheel is made of, with its commit written into it; the same
# bytes for the same commit. Prints the folder that it is unpacked in.
set -eu
python=$1 out=$2
name=$("$python" -c '
import os, sys
from setuptools import build_meta
told = os.dup(1)
os.dup2(2, 1)
os.write(told, build_meta.build_sdist(sys.argv[1]).removesuffix(".tar.gz").encode())' "$out" 2>/dev/null)
mkdir "$out/src"
tar -xzf "$out/$name.tar.gz" -C "$out/src"
rm -r "$out/src/$name/tests" "$out/$name.tar.gz"   # setuptools takes some tests by their names
"$python" -c '
import sys, msgspec
from pathlib import Path
from protocol.host import program
Path(sys.argv[1], "protocol/host/build.json").write_bytes(msgspec.json.encode(program.this()))' "$out/src/$name"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
    -C "$out/src" -cf "$out/$name.tar" "$name"
gzip -n9 "$out/$name.tar"
echo "$out/src/$name"
