"""The commands that the documentation shows: each line of a block of shell, and each `wattline ...` in a text."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, NamedTuple

import typer

from gateway import command

REPO = Path(__file__).resolve().parents[2]
PAGES = [
    REPO / "README.md",
    *sorted({*(REPO / "docs").rglob("*.md")} - {REPO / "docs/promises.md"}),  # which has sentences, not commands
    *sorted((REPO / "protocol").glob("*.md")),
    *sorted((REPO / "firmware/device").glob("*/README.md")),
]
_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:\.venv/bin/)?(?:wattline|make|python -m) [^`\n]+)`")
_TARGETS = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


class Shown(NamedTuple):
    """A command as a page shows it; page: its path in the repository."""

    page: str
    text: str
    is_block: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def shown(page: Path) -> Iterator[Shown]:
    """All commands of a page, those of its blocks first, in their order."""
    name, text = page.relative_to(REPO).as_posix(), page.read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        yield from (Shown(name, line.strip(), is_block=True) for line in block.splitlines() if line.strip())
    for line in _INLINE.findall(_BLOCK.sub("", text)):
        yield Shown(name, line.replace("\\|", "|"), is_block=False)


def simple(text: str) -> list[list[str]]:
    """The commands that a line of shell consists of, in words; without comments, brackets and what stands for more."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();|&<>[]")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("&|;"):
            found.append([])
        elif not set(word) <= set("()<>[]") and (word != "..." or found[-1][-1].startswith("--")):
            found[-1].append(word)
    return [words for words in found if words]


def refusal(words: list[str]) -> str:
    """Why a command line of ours would be refused: "" if each of its words is known, or it is no command of ours."""
    ours = [at for at, word in enumerate(words) if Path(word).name == "wattline" and (at == 0 or words[at - 1] == "--")]
    if ours:
        return _refused("wattline", _root(), words[ours[0] + 1 :])
    if words[0] == "make":
        return "".join(f"no target {word}" for word in words[1:] if "=" not in word and word not in _TARGETS)
    if [Path(words[0]).name, *words[1:2]] == ["python", "-m"]:
        return "" if importlib.util.find_spec(words[2]) else f"no module {words[2]}"
    return ""


@cache
def _root() -> Any:
    return typer.main.get_command(command.app)


@cache
def _group(entry: EntryPoint) -> Any:
    return typer.main.get_group(command.load(entry))


def helps() -> Iterator[tuple[str, Any]]:
    """Each command and group of ours: its words, and what the command line has of it."""
    return _below("wattline", _root())


def _below(words: str, asked: Any) -> Iterator[tuple[str, Any]]:
    group = _group(asked.entry) if isinstance(asked, command._Deferred) else asked
    yield words, group
    for name, inner in getattr(group, "commands", {}).items():
        yield from _below(f"{words} {name}", inner)


def examples(asked: Any) -> list[str]:
    """The command lines that a command's `--help` ends with."""
    return [line.strip() for line in (asked.epilog or "").splitlines() if line.startswith("  ")]


def _refused(name: str, asked: Any, words: list[str]) -> str:
    if isinstance(asked, command._Deferred):
        asked = _group(asked.entry)
    context = asked.context_class(asked, info_name=name)
    try:
        _, rest, _ = asked.make_parser(context).parse_args(args=list(words))
    except Exception as error:  # noqa: BLE001  whatever the command line raises is the finding
        return f"{name}: {getattr(error, 'message', error)}"
    if not hasattr(asked, "get_command"):
        return f"{name}: takes no {' '.join(rest)}" if rest else ""
    if not rest:
        return ""
    inner = asked.get_command(context, rest[0])
    return _refused(rest[0], inner, rest[1:]) if inner else f"{name}: no command {rest[0]}"
