"""Build of cext; everything else about the package is in pyproject.toml.

What is compiled is required: when Cython or the C compiler complains, the build ends. Cython's warnings and
gcc's are errors, because a warning in the code that reads bytes from the network is a bug not yet met.

With WATTLINE_SANITIZE=1 (deploy/setup/sanitized.sh) the same C is compiled for the tests: any read or write out of
bounds, and any undefined behaviour, ends the process.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup

Options.warning_errors = True

STRICT_C = ["-Wall", "-Wextra", "-Werror"]
# the reader's few lines stand in each of its callers, with its state in registers: the decoder is twice as fast
FAST_C = ["-O3", "-DCYTHON_INLINE=inline __attribute__((always_inline))"]
SANITIZERS = "-fsanitize=address,undefined"
SANITIZED_C = ["-O1", "-g", "-fno-wrapv", "-fno-omit-frame-pointer", SANITIZERS, "-fno-sanitize-recover=all"]
sanitize = os.environ.get("WATTLINE_SANITIZE") == "1"

sources = sorted(Path("cext").glob("*.pyx"))
depends = sorted(str(path) for path in Path("cext").glob("*.[hp]*"))  # headers, .pxd, .pxi, .pyx
extensions = [
    Extension(
        f"cext.{source.stem}",
        [str(source)],
        include_dirs=["cext"],
        depends=depends,
        extra_compile_args=[*STRICT_C, *(SANITIZED_C if sanitize else FAST_C)],
        extra_link_args=[SANITIZERS] if sanitize else [],
    )
    for source in sources
]

setup(ext_modules=cythonize(extensions, build_dir="build/cython", language_level=3))
