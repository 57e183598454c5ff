#!/bin/sh
# project.sh VENV   Compile cext.decoder in place and register the `wattline` command, from this checkout.
# A decoder that does not compile ends the set-up: there is no slower substitute.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
venv=$1
# a Python that was built by hand would write the folder of its own libraries into each module
export LDSHARED="gcc -shared"
say "compiling cext.decoder and registering 'wattline' / 编译解码器并注册命令"
"$venv/bin/pip" --disable-pip-version-check install --quiet --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/python" -c 'import cext.decoder as d; assert not d.__file__.endswith(".py"), d.__file__' || die \
    "cext.decoder was not compiled" "cext.decoder 未能编译"
