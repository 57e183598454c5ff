#!/bin/sh
# run.sh PYTHON SEED   The whole suite; its random examples are drawn from SEED.
#
# End-to-end runs keep real time and mostly wait: two of them go beside each other, whatever the machine has. All else only
# computes, so it goes on behind them at the lowest priority. What the end-to-end runs say is shown last.
# A file's tests share what they start, so they stay together. The simulation (tests/hil) takes over the terminal's modules:
# it is not in one process with the terminal's own tests.
set -u
python=$1 seed=$2 said=build/test-e2e.log
export WATTLINE_SEED="$seed"
suite() { "$python" -m pytest --hypothesis-seed="$seed" --dist loadfile "$@"; }

mkdir -p build
suite -m e2e --numprocesses 2 >"$said" 2>&1 &
runs=$!
trap 'kill "$runs"' INT TERM
renice -n 19 -p $$ >/dev/null
status=0
suite -m 'not e2e' --numprocesses auto --maxprocesses 8 --ignore=tests/hil || status=1
suite -m 'not e2e' --numprocesses auto --maxprocesses 8 tests/hil || status=1
wait "$runs" || status=1
cat "$said"
exit "$status"
