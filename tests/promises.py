"""Holds docs/promises.md and protocol/*.md against the tests: `python tests/promises.py` prints what does not fit.

A promise is a row `| ID | text | test |` of docs/promises.md, where the last cell names its tests as
`tests/path.py::function` (or `::Class::function`), separated by blanks. A clause is a row `| FR-nn | text |` of
a text in protocol/. A test *quotes* an id in its docstring, in a comment inside it or in the comment right above it.

Checked: each promise names a test; each named test exists and quotes the promise's id; each clause is quoted by some
test; each id that a test quotes is a promise or a clause; no id stands twice. docs/threat-model.md has a row for each
goal of security, and names only promises and tests that there are.
`python tests/promises.py --quotes` lists instead who quotes what: the material for a new row.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

ID = re.compile(r"\b(?:R|S|P|FR)-\d{2,3}\b(?!-)")
ROW = re.compile(r"^\|\s*((?:R|S|P|FR)-\d{2,3})\s*\|(.*)\|\s*$")
TEST = re.compile(r"[\w/.-]+\.py::[\w:]+")
GOALS = [f"S-{number:02}" for number in range(1, 30)]  # of security: each has a row in docs/threat-model.md

Rows = list[tuple[str, str]]
Quotes = dict[str, set[str]]


def findings(repo: Path) -> list[str]:
    """Everything that does not fit, as lines to read; empty when all is well."""
    promises = rows(repo / "docs/promises.md")
    clauses = _clauses(repo)
    quotes = quoted(repo)
    known = {name for name, _ in promises + clauses}
    return [
        *_doubles(promises + clauses),
        *_unproved(promises, quotes),
        *(
            f"{name}: no test quotes this clause of protocol/"
            for name, _ in clauses
            if not any(name in ids for test, ids in quotes.items() if "::" in test)
        ),
        *(
            f"{name}: quoted by {test}, but neither docs/promises.md nor a text of protocol/ has it"
            for test, ids in sorted(quotes.items())
            for name in sorted(ids - known)
        ),
        *_threats(repo / "docs/threat-model.md", known, quotes),
    ]


def rows(file: Path) -> Rows:
    """(id, rest of the row) of each table row that starts with an id."""
    return [
        (found[1], found[2]) for line in file.read_text(encoding="utf-8").splitlines() if (found := ROW.match(line))
    ]


def _clauses(repo: Path) -> Rows:
    return [row for file in sorted((repo / "protocol").glob("*.md")) for row in rows(file)]


def _doubles(all_rows: Rows) -> Iterator[str]:
    names = [name for name, _ in all_rows]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name}: stands more than once"


def _unproved(promises: Rows, quotes: Quotes) -> Iterator[str]:
    for name, rest in promises:
        tests = TEST.findall(rest)
        if not tests:
            yield f"{name}: docs/promises.md names no test for it"
        for test in tests:
            if test not in quotes:
                yield f"{name}: there is no test {test}"
            elif name not in quotes[test]:
                yield f"{name}: {test} does not quote it"


def _threats(file: Path, known: set[str], quotes: Quotes) -> Iterator[str]:
    """What the threat model names and is not there. A goal that it calls unproved need be no promise."""
    text, goals = file.read_text(encoding="utf-8"), dict(rows(file))
    yield from (f"{goal}: {file.name} has no row for it" for goal in GOALS if goal not in goals)
    named = {name for name in ID.findall(text) if name not in goals}
    proofs = {name for rest in goals.values() for name in ID.findall(rest.rpartition("|")[2])}
    yield from (f"{name}: {file.name} names it, and nothing promises it" for name in sorted((named | proofs) - known))
    yield from (f"{file.name}: there is no test {test}" for test in sorted(set(TEST.findall(text)) - quotes.keys()))


def quoted(repo: Path) -> Quotes:
    """For every test function of tests/, as `tests/path.py::name`, the ids that it quotes.

    What a file quotes outside its test functions stands under the file's own name: it proves nothing by itself, but an
    unknown id there is a finding too.
    """
    found: Quotes = {}
    for file in sorted((repo / "tests").rglob("*.py")):
        found |= _quoted_in(file.read_text(encoding="utf-8"), file.relative_to(repo).as_posix())
    return found


def _quoted_in(source: str, path: str) -> Quotes:
    tree = ast.parse(source)
    words = _comments(source) | _docstrings(tree)
    functions = list(_functions(tree, path))
    found: Quotes = {name: set() for name in [path, *(name for name, _, _ in functions)]}
    starts = _with_comment_above(source)
    for line, text in words:
        owner = next((name for name, first, last in functions if starts(first) <= line <= last), path)
        found[owner] |= set(ID.findall(text))
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int, int]]:
    """(name, first line with decorators, last line) of each test function, in classes too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}::{child.name}")
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name.startswith("test"):
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield f"{prefix}::{child.name}", first, child.end_lineno or first


def _with_comment_above(source: str) -> Callable[[int], int]:
    """A function that moves a first line up over the comment right above it."""
    lines = source.splitlines()

    def start(first: int) -> int:
        while first > 1 and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return first

    return start


def _comments(source: str) -> set[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT}


def _docstrings(tree: ast.Module) -> set[tuple[int, str]]:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, holders) and ast.get_docstring(node)]
    return {(node.body[0].lineno, ast.get_docstring(node) or "") for node in nodes}


def main() -> int:
    """Print the findings of this repository; 1 when there are any."""
    repo = Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--quotes"]:
        print("\n".join(sorted(f"{name} {test}" for test, ids in quoted(repo).items() for name in ids)))
        return 0
    found = findings(repo)
    for line in found:
        print(line)
    count = len(rows(repo / "docs/promises.md")) + len(_clauses(repo))
    print(f"promises: {count} promises and clauses, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
