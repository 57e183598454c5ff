#!/bin/sh
# run.sh PYTHON SEED   The whole suite; its random examples are drawn from SEED.
#
# A file's tests share what they start, so they stay together. The simulation (tests/hil) takes over the terminal's modules:
# it is not in one process with the terminal's own tests. Who keeps scaled time is last, with nothing that computes beside:
# those mostly wait. One worker more than processors, because some tests wait in the other parts, too.
set -u
python=$1 seed=$2
export WATTLINE_SEED="$seed"
# Programs that tests start would compile all of ours anew each time, and each worker its tests. Not in the checkout, which
# is packed and compared; anew for each run, because copies in temporary folders are compiled, too.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$PWD/build/pycache"
rm -rf "$PYTHONPYCACHEPREFIX"
workers=$(($(nproc) < 8 ? $(nproc) + 1 : 8)) # each holds 300 MB
export WATTLINE_FAILED="$PWD/build/failed.txt" # where the parts say what failed
: >"$WATTLINE_FAILED"
status=0
# No test takes this long, nor gives a program of its own more: one that hangs is ended and told, and the others go on.
suite() {
    "$python" -m pytest --timeout 900 --hypothesis-seed="$seed" --dist loadfile --numprocesses "$workers" "$@" && return
    echo "pytest $*: exit status $?" >>"$WATTLINE_FAILED"
    status=1
}

suite -m 'not e2e or untimed' --ignore=tests/hil
suite -m 'not e2e or untimed' tests/hil
# in the order of folders: tests/e2e has the long ones
suite -m 'e2e and not untimed' --no-loadscope-reorder
[ "$status" = 0 ] || { echo "failed, with SEED=$seed / 未通过:" && tail -n 20 "$WATTLINE_FAILED"; }
exit "$status"
