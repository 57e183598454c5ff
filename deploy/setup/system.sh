#!/bin/sh
# system.sh PYTHON   What the build needs of the machine: a C compiler, Python >= 3.11 with headers and venv.
# Installs what is missing, and nothing when nothing is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
python=$1
command -v "$python" >/dev/null 2>&1 || "$here/apt_install.sh" python3 python3-venv python3-dev
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die \
    "Python >= 3.11 is needed, $python is $("$python" -V 2>&1); try: make setup PYTHON=/path/to/python3.11" \
    "需要 Python 3.11 或更高版本；可以指定: make setup PYTHON=/路径/python3.11"
missing=
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
"$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || missing="$missing python3-dev"
# shellcheck disable=SC2086  # a list of package names, to be split
[ -z "$missing" ] || "$here/apt_install.sh" $missing
say "machine: $("$python" -V), $(gcc --version | head -n 1)"
