"""TOML files into typed, frozen structs. Every problem of a file is found in one go; each names file, key and what is
allowed. No other thing is touched than the file itself.
"""

import contextlib
import difflib
import functools
import tomllib
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from protocol.host import toml_lines

T = TypeVar("T", bound=msgspec.Struct)

# A config is written by hand: beyond this size it is some other file.
FILE_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """One thing to mend: the file, the dotted path of the key ("" = the file itself), what is wrong and allowed.

    line: from 1; 0: not known.
    """

    file: Path
    key: str
    text: str
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else f"{self.file}"
        return f"{where}: {self.key}: {self.text}" if self.key else f"{where}: {self.text}"


class ConfigError(Exception):
    """A configuration that can't be used; `problems` are all that were found, at least one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def read(path: Path, kind: type[T]) -> T:
    """The file as a `kind`. Raises ConfigError."""
    value = _load(path)
    with lines_named(path):
        return convert(value, kind, path)


@contextlib.contextmanager
def lines_named(path: Path) -> Iterator[None]:
    """A ConfigError that comes out of it names the lines of this TOML file, which was read before."""
    try:
        yield
    except ConfigError as error:
        lines: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError, IndexError):  # changed since it was read: then without lines
            lines = toml_lines.key_lines(path.read_text(encoding="utf-8"))
        raise ConfigError([_located(one, path, lines) for one in error.problems]) from error


def _located(problem: Problem, path: Path, lines: dict[str, int]) -> Problem:
    return replace(problem, line=toml_lines.line_of(problem.key, lines)) if problem.file == path else problem


def convert(value: dict[str, Any], kind: type[T], file: Path) -> T:
    """A table as a `kind`; problems name `file`. Raises ConfigError."""
    if _is_plain(kind) and not _any_ends_beyond(value):  # in a third of the time, for a province's terminals
        with contextlib.suppress(msgspec.ValidationError):  # then all that is wrong is looked for
            return msgspec.convert(value, kind, strict=True)
    problems: list[Problem] = []
    found = _convert(value, kind, file, "", problems)
    if problems:
        raise ConfigError(problems)
    return typing.cast("T", found)


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError([Problem(path, "", f"longer than {FILE_BYTES_MAX} bytes / 文件过大")])
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(path, "", f"can't be read: {error.strerror} / 无法读取")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(path, "", f"not UTF-8 at byte {error.start} / 不是 UTF-8 编码")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem(path, "", f"not TOML: {error} / 不是有效的 TOML")]) from error


def _convert(value: Any, kind: Any, file: Path, key: str, problems: list[Problem]) -> Any:
    """The value as a `kind`; None, and problems added, where it is not one."""
    bare = _bare(kind)
    if tagged := _tagged(bare):
        return _convert_tagged(value, tagged, file, key, problems)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _convert_struct(value, bare, file, key, problems)
    if typing.get_origin(bare) is list and isinstance(value, list):
        (item,) = typing.get_args(bare)
        return [_convert(one, item, file, f"{key}[{number}]", problems) for number, one in enumerate(value)]
    with contextlib.suppress(msgspec.ValidationError):
        found = msgspec.convert(value, kind, strict=True)
        if not _ends_beyond(value, kind):
            return found
    shown = repr(value) if isinstance(value, bool | int | float | str) else f"a {type(value).__name__}"
    problems.append(Problem(file, key, f"{shown[:80]}; allowed / 允许: {allowed(kind)}"))
    return None


def _ends_beyond(value: Any, kind: Any) -> bool:
    """Whether a text that has a pattern ends with a line's end, which Python's `$` lets pass."""
    return isinstance(value, str) and value.endswith("\n") and getattr(_meta(kind), "pattern", None) is not None


def _any_ends_beyond(value: Any) -> bool:
    """Whether any text in it may be such a one."""
    if isinstance(value, dict):
        return any(map(_any_ends_beyond, value.values()))
    return (
        any(map(_any_ends_beyond, value))
        if isinstance(value, list)
        else isinstance(value, str) and value.endswith("\n")
    )


@functools.cache
def _is_plain(kind: Any) -> bool:
    """Whether msgspec takes just what we take: no table has its kind in a key, and unknown keys are refused."""
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        config = bare.__struct_config__
        fields = _fields(bare).values()
        return config.forbid_unknown_fields and not config.tag_field and all(_is_plain(one.type) for one in fields)
    return all(map(_is_plain, typing.get_args(bare))) if typing.get_origin(bare) in {list, dict} else not _tagged(bare)


def _tagged(kind: Any) -> dict[str, type[msgspec.Struct]]:
    """The structs of a union by the value of their tag; empty where it is no such union."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) in {typing.Union, types.UnionType} else (kind,)
    configs = [getattr(one, "__struct_config__", None) for one in kinds]
    if not all(config and config.tag_field for config in configs):
        return {}
    return {str(one.__struct_config__.tag): one for one in kinds}


def _convert_tagged(
    value: Any, kinds: dict[str, type[msgspec.Struct]], file: Path, key: str, problems: list[Problem]
) -> Any:
    """A table whose kind one of its keys says."""
    tag_field = str(next(iter(kinds.values())).__struct_config__.tag_field)
    given = value.get(tag_field) if isinstance(value, dict) else None
    if isinstance(value, dict) and (not isinstance(given, str) or given not in kinds):
        wanted = ", ".join(f'"{one}"' for one in kinds)
        what = "missing / 缺少" if given is None else repr(given)[:80]
        problems.append(Problem(file, _join(key, tag_field), f"{what}; allowed / 允许: {wanted}"))
        return None
    return _convert_struct(value, kinds.get(str(given), next(iter(kinds.values()))), file, key, problems)


def _convert_struct(value: Any, kind: type[msgspec.Struct], file: Path, key: str, problems: list[Problem]) -> Any:
    if not isinstance(value, dict):
        problems.append(Problem(file, key, f"a table is wanted / 应为表: {_keys(kind)}"))
        return None
    before = len(problems)
    tag_field = kind.__struct_config__.tag_field
    value = {name: one for name, one in value.items() if name != tag_field}
    fields = _fields(kind)
    for name in sorted(value.keys() - fields.keys()):
        guess = difflib.get_close_matches(name, fields, 1)
        hint = f"; did you mean / 是否想写: {guess[0]}" if guess else ""
        problems.append(Problem(file, _join(key, name), f"unknown key / 未知的键; allowed / 允许: {_keys(kind)}{hint}"))
    found = {}
    for name, field in fields.items():
        if name in value:
            found[field.name] = _convert(value[name], field.type, file, _join(key, name), problems)
        elif field.required:
            problems.append(Problem(file, _join(key, name), f"missing / 缺少; allowed / 允许: {allowed(field.type)}"))
    return kind(**found) if len(problems) == before else None


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """By the name in the file. Looked up once: msgspec works a type's annotations out anew at each call."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def allowed(kind: Any) -> str:
    """What a key of this type takes, in words an operator understands."""
    meta = _meta(kind)
    bare = _bare(kind)
    if meta is not None and meta.description:
        return meta.description
    if typing.get_origin(bare) is Literal:
        return ", ".join(f'"{one}"' for one in typing.get_args(bare))
    if bare is int and meta is not None:
        return f"an integer {meta.ge} to {meta.le} / {meta.ge} 到 {meta.le} 的整数"
    if bare is str and meta is not None:
        return f"text matching {meta.pattern} / 符合 {meta.pattern} 的文字"
    if typing.get_origin(bare) is list:
        return "a list / 列表"
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return f"a table / 表: {_keys(bare)}"
    names = {
        str: "text / 文字",
        int: "an integer / 整数",
        bool: "true or false / true 或 false",
        float: "a number / 数字",
    }
    return names.get(bare, str(bare))


def _bare(kind: Any) -> Any:
    """The type without Annotated, and without the None that stands for a key left out."""
    if typing.get_origin(kind) is typing.Annotated:
        return _bare(typing.get_args(kind)[0])
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        others = [one for one in typing.get_args(kind) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _meta(kind: Any) -> msgspec.Meta | None:
    """What an annotated type says of its bounds."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return _meta(next(one for one in typing.get_args(kind) if one is not type(None)))
    return next((one for one in getattr(kind, "__metadata__", ()) if isinstance(one, msgspec.Meta)), None)


def _keys(kind: type[msgspec.Struct]) -> str:
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    tag_field = kind.__struct_config__.tag_field
    return ", ".join([tag_field, *names] if tag_field else names)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
