"""A configuration file's keys, as declared: type, bounds, default, and the comment that stands with each."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import inspect as types


class Key(NamedTuple):
    """A row of the reference; texts in English."""

    name: str
    allowed: str
    default: str
    meaning: str


class Table(NamedTuple):
    """A table of a file: its name as the file has it, "" for the file itself; what it is; its keys."""

    name: str
    meaning: str
    keys: list[Key]


def tables(root: type[msgspec.Struct], name: str = "") -> Iterator[Table]:
    """The file's own table, then each table in it, in the order of the declaration."""
    info = types.type_info(root)
    assert isinstance(info, types.StructType)
    comments = _comments(root)
    inner: list[tuple[type[msgspec.Struct], str]] = []
    keys = []
    for field in info.fields:
        structs = list(_structs(field.type))
        inner += [(one, _inner_name(name, field, one, len(structs))) for one in structs]
        if not structs:
            keys.append(Key(field.encode_name, _allowed(field.type), _default(field), comments.get(field.name, "")))
    meaning = re.sub(r"\[+[\w.]+\]+", r"`\g<0>`", " ".join((root.__doc__ or "").split()))
    yield Table(name, meaning, [*_kind(info), *keys])
    for struct, inner_name in inner:
        yield from tables(struct, inner_name)


def _inner_name(outer: str, field: types.Field, struct: type[msgspec.Struct], count: int) -> str:
    name = f"{outer}.{field.encode_name}" if outer else field.encode_name
    is_list = any(isinstance(one, types.ListType) for one in _alternatives(field.type))
    kind = f" of kind {struct.__struct_config__.tag}" if count > 1 else ""
    return f"{name}{'[]' if is_list else ''}{kind}"


def _kind(info: types.StructType) -> list[Key]:
    tag = info.tag_field and Key(info.tag_field, f"`{info.tag}`", "", "which of the kinds this table is")
    return [tag] if tag else []


def _alternatives(kind: types.Type) -> Iterator[types.Type]:
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.UnionType):
        for one in kind.types:
            yield from _alternatives(one)
    elif not isinstance(kind, types.NoneType):
        yield kind


def _structs(kind: types.Type) -> Iterator[type[msgspec.Struct]]:
    for one in _alternatives(kind):
        if isinstance(one, types.StructType):
            yield one.cls
        elif isinstance(one, types.ListType):
            yield from _structs(one.item_type)


def _default(field: types.Field) -> str:
    if field.required:
        return "must be there"
    default = field.default
    if default is msgspec.NODEFAULT:
        default = field.default_factory() if callable(field.default_factory) else None
    if default is None or default in ([], {}):
        return "none"
    return f"`{msgspec.json.encode(default).decode()}`"


def _allowed(kind: types.Type) -> str:
    return " or ".join(_shown(one) for one in _described(kind))


def _described(kind: types.Type) -> Iterator[types.Type | str]:
    """Like _alternatives, but what a description says takes the place of the type that it describes."""
    if isinstance(kind, types.Metadata) and (kind.extra_json_schema or {}).get("description"):
        yield str((kind.extra_json_schema or {})["description"]).split(" / ", maxsplit=1)[0]
    elif isinstance(kind, types.Metadata):
        yield from _described(kind.type)
    elif isinstance(kind, types.UnionType):
        for one in kind.types:
            yield from _described(one)
    elif not isinstance(kind, types.NoneType):
        yield kind


def _shown(kind: types.Type | str) -> str:
    match kind:
        case str():
            return kind
        case types.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case types.BoolType():
            return "`true`, `false`"
        case types.IntType() | types.FloatType():
            return f"{kind.ge:,} to {kind.le:,}" if kind.ge is not None and kind.le is not None else "a number"
        case types.StrType():
            return f"text like `{kind.pattern}`".replace("|", "\\|") if kind.pattern else "text"
        case types.ListType():
            return f"a list: {_allowed(kind.item_type)}"
        case types.DictType():
            return "a table of texts"
    return type(kind).__name__.removesuffix("Type").lower()


def _comments(struct: type[msgspec.Struct]) -> dict[str, str]:
    """By field: the comment above it and the one behind it; what a base class declares, too."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if "__annotations__" in vars(base) and issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            found |= dict(_comments_in(textwrap.dedent(inspect.getsource(base))))
    return found


def _comments_in(source: str) -> Iterator[tuple[str, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    declaration = ast.parse(source).body[0]
    assert isinstance(declaration, ast.ClassDef)
    for field in declaration.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            first = field.lineno
            while first - 1 in comments and not comments[first - 1].line[: comments[first - 1].start[1]].strip():
                first -= 1
            lines = range(first, (field.end_lineno or first) + 1)
            yield field.target.id, " ".join(comments[at].string.lstrip("# ") for at in lines if at in comments)
