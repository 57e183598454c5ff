"""What browsers load: held against itself without a browser."""

import re

from gateway.console.app import STATIC

OURS = [file for file in STATIC.rglob("*") if file.suffix in {".js", ".css", ".html"} and "vendor" not in file.parts]
SCRIPTS = {file.relative_to(STATIC).as_posix(): file.read_text() for file in OURS if file.suffix == ".js"}
SVG = "http://www.w3.org/2000/svg"  # the name of a kind of element: nothing is fetched by it
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
ENTRY = re.compile(r'^  (?:"([^"]+)"|(\w+)): \[\s*"((?:[^"\\]|\\.)+)",\s*"((?:[^"\\]|\\.)+)",?\s*\],$', re.MULTILINE)
KEY = re.compile(r'^  (?:"([^"]+)"|(\w+)): \[', re.MULTILINE)


def words() -> dict[str, tuple[str, str]]:
    """The dictionary: key, (Chinese, English)."""
    return {quoted or bare: (zh, en) for quoted, bare, zh, en in ENTRY.findall(SCRIPTS["dictionary.js"])}


def test_what_comes_from_outside_is_never_markup_and_nothing_is_inline() -> None:
    """P-321: nor is anything asked of another host."""
    assert {name: MARKUP.findall(text) for name, text in SCRIPTS.items() if MARKUP.search(text)} == {}
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page) == []
    addresses = re.compile(r"(?:https?:)?//[\w.-]+\.\w+/")
    strange = {file.name: addresses.findall(file.read_text().replace(SVG, "")) for file in OURS}
    assert [name for name, found in strange.items() if found] == []


def test_every_word_is_in_both_languages_and_every_word_that_is_shown_is_there() -> None:
    """P-321."""
    known = words()
    assert set(known) == {quoted or bare for quoted, bare in KEY.findall(SCRIPTS["dictionary.js"])}
    for key, (zh, en) in known.items():
        assert set(re.findall(r"{\d}", zh)) == set(re.findall(r"{\d}", en)), key
    asked = {key for text in SCRIPTS.values() for key in re.findall(r'\bt\("([^"]+)"', text)}
    assert asked - set(known) == set()
    ends = {key for text in SCRIPTS.values() for key in re.findall(r"\bt\(`(\w+\.)\$", text)}
    assert [one for one in ends if not any(key.startswith(one) for key in known)] == []


def test_every_module_that_is_imported_is_there() -> None:
    """P-321: there is no build step that would notice."""
    for name, text in SCRIPTS.items():
        for path in re.findall(r'(?:from|import\()\s*"([^"]+)"', text):
            assert ((STATIC / name).parent / path).resolve().is_file(), (name, path)
        for names, path in re.findall(r'import \{ ([^}]+) \} from "([^"]+)"', text):
            given = ((STATIC / name).parent / path).resolve().read_text()
            for one in names.split(", "):
                assert re.search(rf"export (?:async )?(?:function|class|const) {one}\b", given), (name, one)
                assert len(re.findall(rf"\b{one}\b", text)) > 1, f"{name}: {one} is imported and not used"
