"""Build of cext; everything else about the package is in pyproject.toml.

What is compiled is required: when Cython or the C compiler complains, the build ends. Cython's warnings and
gcc's are errors, because a warning in the code that reads bytes from the network is a bug not yet met.

With WATTLINE_COMPILED (deploy/package) nothing is compiled: a folder has what was compiled before, and tested; `none`
leaves it out, for the technician's tool on any machine.

With WATTLINE_SANITIZE=1 (deploy/setup/sanitized.sh) the same C is compiled for the tests: any read or write out of
bounds, and any undefined behaviour, ends the process.
"""

import os
import shutil
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

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


class Compiled(build_ext):  # type: ignore[misc]  # published without types
    """Takes each module as it was compiled before."""

    def build_extension(self, ext: Extension) -> None:
        """Copy it to where the wheel is made of."""
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(os.environ["WATTLINE_COMPILED"]) / target.name, target)


match os.environ.get("WATTLINE_COMPILED"):
    case None:
        setup(ext_modules=cythonize(extensions, build_dir="build/cython", language_level=3))
    case "none":
        setup()
    case _:
        setup(ext_modules=extensions, cmdclass={"build_ext": Compiled})
