"""Runs benchmarks by name and writes report.json and index.html."""

import importlib
import json
import pkgutil
import platform
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from hil.benchmarks import cases
from hil.benchmarks.page import page
from hil.benchmarks.result import Figure, Options, Result
from hil.process import BenchError


class UnknownBenchmarkError(Exception):
    """No such benchmark; the text names those that there are."""


def names() -> dict[str, str]:
    """Every benchmark there is, with what it measures."""
    found = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    return {name: (_case(name).__doc__ or "").splitlines()[0] for name in found}


def _case(name: str) -> ModuleType:
    return importlib.import_module(f"{cases.__name__}.{name}")


def run(name: str, options: Options) -> Result:
    """One benchmark's result; where the bench fails, it says so in `failures`. Raises UnknownBenchmarkError."""
    if name not in names():
        raise UnknownBenchmarkError(f"{name}: there is {', '.join(names())} / 没有这个测试项")
    try:
        result: Result = _case(name).measure(options)
    except BenchError as error:
        return Result([], failures=[str(error)])
    return result


def write(results: dict[str, Result], folder: Path) -> None:
    """`report.json`, a list of {name, value, unit, spread, peer}, and `index.html`.

    A benchmark that failed has a line CASE.failures, which counts them, the reasons in `peer`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [_line(figure) for result in results.values() for figure in result.figures]
    figures += [
        _line(Figure(f"{name}.failures", len(result.failures), "failures", 0, "; ".join(result.failures)))
        for name, result in results.items()
        if result.failures
    ]
    (folder / "report.json").write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(page(results, machine()), encoding="utf-8")


def _line(figure: Figure) -> dict[str, object]:
    f = figure
    return {"name": f.name, "value": f.value, "unit": f.unit, "spread": f.spread, "peer": f.peer}


def machine() -> str:
    """Processor, system, Python."""
    return f"{_processor(_cpuinfo())}; {platform.system()} {platform.release()}; Python {platform.python_version()}"


def _cpuinfo() -> Iterable[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _processor(lines: Iterable[str]) -> str:
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
    return model or platform.machine()
