"""What mkdocs.yml asks of MkDocs beyond its own: each text has its place in the repository, where its links work too.

A file that a text links to comes along as it is; a folder that it links to becomes a page which shows its files.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPO = Path(__file__).resolve().parents[2]
TEXTS = ("*.md", "docs/**/*.md", "protocol/*.md", "protocol/vectors/*.md", "firmware/device/*/README.md")
ASSETS = (REPO / "docs/site/extra.css", REPO / "docs/site/iframe-worker.js")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
PICTURE = re.compile(r'<img[^>]*\bsrc="(?!\w+:)([^"]+)"')
FROM_OUTSIDE = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>|@import\b[^;]*//|url\([\"']?(?:https?:)?//"
)
LANGUAGES = {".toml": "toml", ".yaml": "yaml", ".json": "json", ".py": "python", ".sh": "sh"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, the texts, what they link to, and pages for the folders that they link to."""
    texts = sorted({path for pattern in TEXTS for path in REPO.glob(pattern)})
    linked = {target for text in texts for target in _targets(text)} - set(texts)
    return Files(
        [
            *(file for file in files if file.src_dir != config.docs_dir),
            *(_at_its_place(path, config) for path in [*texts, *ASSETS, *sorted(filter(Path.is_file, linked))]),
            *(_shown(folder, config) for folder in sorted(filter(Path.is_dir, linked))),
        ]
    )


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # its names
    """The text, in which a link to a folder leads to the page that shows it."""
    here = (REPO / page.file.src_uri).parent

    def to_page(link: re.Match[str]) -> str:
        return f"]({link[1].rstrip('/')}/index.md)" if (here / link[1]).is_dir() else link[0]

    return LINK.sub(to_page, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """The site needs no network: PluginError with the file and the tag that would load something from elsewhere."""
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix not in {".html", ".css", ".svg"}:
            continue
        if found := FROM_OUTSIDE.search(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path}: {found[0][:200]} loads from the network; keep it in the repository")


def _targets(text: Path) -> Iterator[Path]:
    """What is there of what a text links to; what is not there is MkDocs' to complain of."""
    words = text.read_text(encoding="utf-8")
    for link in [link for link, _ in LINK.findall(words)] + PICTURE.findall(words):
        path = (text.parent / link).resolve()
        if path.is_relative_to(REPO) and path.exists():
            yield path


def _at_its_place(path: Path, config: MkDocsConfig) -> File:
    return File(path.relative_to(REPO).as_posix(), str(REPO), config.site_dir, config.use_directory_urls)


def _shown(folder: Path, config: MkDocsConfig) -> File:
    name = folder.relative_to(REPO).as_posix()
    shown = [f"# {name}/", *(_fenced(path) for path in sorted(folder.iterdir()) if path.is_file())]
    return File.generated(config, f"{name}/index.md", content="\n\n".join(shown))


def _fenced(path: Path) -> str:
    return f"## {path.name}\n\n````{LANGUAGES.get(path.suffix, '')}\n{path.read_text(encoding='utf-8')}\n````"
