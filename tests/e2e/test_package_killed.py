"""An installation that is cut off leaves one program, whole: the old one or the new one."""

import json
import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.clean_root import CleanRoot, only

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]

SEED = int(os.environ.get("WATTLINE_SEED", time.time_ns())) % 100_000
SHOWN = f"seed {SEED} (replay: WATTLINE_SEED={SEED})"
KILLS = 2
NEWER = "99.0.0"
# Each step by which dpkg changes what stands under a name. It dies before the n-th, or says at its end how many there
# were; what it starts is none of its steps.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static long steps, die_at;
__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("DIE_AT");
    die_at = text == NULL ? -1 : atol(text);
    unsetenv("DIE_AT");
}
__attribute__((destructor)) static void end(void) { if (die_at == 0) fprintf(stderr, "steps %ld\\n", steps); }
static void *next(const char *name) {
    if (++steps == die_at) kill(getpid(), SIGKILL);
    return dlsym(RTLD_NEXT, name);
}
int rename(const char *a, const char *b) { return ((int (*)(const char *, const char *))next("rename"))(a, b); }
int unlink(const char *a) { return ((int (*)(const char *))next("unlink"))(a); }
int rmdir(const char *a) { return ((int (*)(const char *))next("rmdir"))(a); }
"""
KILLED = 128 + 9


def newer_package(deb: Path, folder: Path) -> Path:
    """The same program, as another version would be packed."""
    tree = folder / "newer"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True, timeout=300)
    home = next(one for one in (tree / "usr/lib/wattline").iterdir() if one.is_dir())
    home.rename(home.with_name(f"{NEWER}-next"))
    for file, old, new in (
        (tree / "usr/lib/wattline/wattline", home.name, f"{NEWER}-next"),
        (tree / "DEBIAN/control", f"Version: {home.name.partition('-')[0]}", f"Version: {NEWER}"),
    ):
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    (build,) = tree.glob("usr/lib/wattline/*/lib/*/site-packages/protocol/host/build.json")
    build.write_text(json.dumps({"version": NEWER, "commit": "next"}))
    made = folder / "newer.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)], check=True, timeout=300
    )
    shutil.rmtree(tree)
    return made


def shim(root: CleanRoot) -> None:
    source = root.folder / "shim.c"
    source.write_text(SHIM, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(root.folder / "shim.so"), str(source)], check=True, timeout=60)


def test_an_installation_that_is_killed_leaves_one_program_whole(
    dist: Path, clean_root: CleanRoot, tmp_path: Path
) -> None:
    """P-387: at any step of dpkg, there and back; installed again it is there."""
    chance, root = random.Random(SEED), clean_root
    old = only(dist, "*.deb")
    debs = [root.take(old), root.take(newer_package(old, tmp_path))]
    shim(root)
    install = ("dpkg", "--force-unsafe-io", "--force-downgrade", "--install")
    root.run(*install, debs[0])
    versions = [root.run("wattline", "--version"), f"wattline {NEWER} (next)\n"]
    counted = root.run("env", "LD_PRELOAD=/shim.so", "DIE_AT=0", *install, debs[1])
    steps = max(int(one) for one in re.findall(r"^steps (\d+)$", counted, re.MULTILINE))
    assert root.run("wattline", "--version") == versions[1]
    for number in range(KILLS):
        there = number % 2  # the one that is installed over the other
        die_at = chance.randint(1, steps)
        where = f"{SHOWN}: killed at step {die_at} of {steps}"
        killed = f"LD_PRELOAD=/shim.so DIE_AT={die_at} {' '.join(install)} {debs[there]}"
        # what dpkg had started holds the pipe, and so has ended, too
        done = root.run("sh", "-c", f'{{ {killed} 2>&1; echo "status $?"; }} | cat')
        assert f"status {KILLED}\n" in done, f"{where}: {done}"
        assert root.run("wattline", "--version") in versions, f"{where}: {done}"
        assert "modbus-rtu" in root.run("wattline", "field", "profiles"), where
        root.run(*install, debs[there])
        assert root.run("wattline", "--version") == versions[there], where
