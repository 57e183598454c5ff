"""A site's plan to try: the example's, with some of its text replaced."""

from datetime import UTC, datetime
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "deploy" / "example" / "site.toml"
SEALING_KEY = bytes(range(1, 33)).hex()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def laid_out(folder: Path, *edits: tuple[str, str]) -> Path:
    """The example's plan with what it names, and some of its text replaced where it stands first."""
    (folder / "wifi-password.txt").write_text("secret of the plant\n")
    text = EXAMPLE.read_text(encoding="utf-8").replace(64 * "0", SEALING_KEY)
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "site.toml"
    file.write_text(text, encoding="utf-8")
    return file
