"""What a technician leaves: a key of their own, a page that is one sheet, and a label that a telephone reads."""

import io
import os
import re
from pathlib import Path

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from typer.testing import CliRunner

from firmware.field.cli import app
from firmware.field.record import label, page, technician
from protocol.host import commissioning, signed
from tests.firmware.field.record.reports import DIGEST, report


def test_the_page_says_what_the_report_says_and_nothing_in_it_is_markup() -> None:
    """P-306"""
    text = page.html(report(3), DIGEST)
    for said in (
        "First &amp; steelworks",
        "furnace &lt;1&gt; 电弧炉",
        "1234.57 kW",
        "1a2b3c4d / 7",
        DIGEST,
        "no. 202603010012",
    ):
        assert said in text, said
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=|url\(", text)  # nothing is loaded from elsewhere
    assert "9 in all" in text
    assert max(len(line) for line in re.findall(r"<td>([^<]*)</td></tr>", text)) <= page._FINDINGS_CHARS_MAX


@pytest.mark.parametrize("points", [1, 32])
def test_the_label_is_read_by_whoever_reads_qr_codes(points: int) -> None:
    """P-306: the code's modules in the picture are those of its text, each a whole number of dots."""
    shown = label.of_report(report(points), DIGEST)
    picture = Image.open(io.BytesIO(label.png(shown)))
    assert (picture.size, round(picture.info["dpi"][0])) == ((400, 240), 203)
    wanted = [list(row) for row in segno.make(label.text(shown), error="m", micro=False).matrix_iter(border=0)]
    dots = picture.convert("L").load()
    assert dots is not None
    side = min(240, 200)
    module = side // (len(wanted) + 8)
    left, top = 4 * module, (240 - module * len(wanted)) // 2
    for y in range(-4, len(wanted) + 4):
        for x in range(-4, len(wanted) + 4):
            dark = wanted[y][x] if 0 <= y < len(wanted) and 0 <= x < len(wanted) else 0
            at = (left + x * module + module // 2, top + y * module + module // 2)
            assert (dots[at] == 0) == bool(dark), (x, y)
    assert label.text(shown) == "WATTLINE/1/T0001/E0001/F412FA3B5C10/0F1E2D3C0F1E2D3C"


@pytest.mark.parametrize("size", [label.Size(), label.Size(62, 29), label.Size(30, 15), label.Size(100, 150)])
def test_a_label_keeps_to_its_size(size: label.Size) -> None:
    """P-306"""
    text = label.svg(label.of_report(report(), DIGEST), size)
    assert f'width="{size.width:g}mm" height="{size.height:g}mm"' in text
    for x, y, height in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" font-size="([\d.]+)"', text):
        assert float(x) < size.width
        assert float(y) - float(height) > 0
        assert float(y) < size.height
    columns = [float(x) for x in re.findall(r"M([\d.]+) ", text)]
    assert 0 < min(columns) <= max(columns) < size.width / 2


def test_a_technicians_key_is_a_file_of_their_own_and_never_shown(tmp_path: Path) -> None:
    """P-306"""
    file = tmp_path / "li.wei.pem"
    told = CliRunner().invoke(app, ["technician-key", str(file)], input="open sesame\nopen sesame\n")
    assert told.exit_code == 0, told.output
    key = technician.load(file, b"open sesame")
    assert f'name = "li.wei"\nkey = "{technician.public_hex(key)}"' in told.stdout
    assert key.private_bytes_raw().hex() not in told.output
    assert technician.is_encrypted(file)
    assert file.stat().st_mode & 0o777 == 0o600
    again = CliRunner().invoke(app, ["technician-key", str(file), "--no-password"])
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    for password, said in ((b"wrong", "not this password"), (None, "has a password")):
        with pytest.raises(technician.KeyFileError, match=said):
            technician.load(file, password)
    os.chmod(file, 0o644)  # noqa: PTH101
    with pytest.raises(technician.KeyFileError, match="chmod 600"):
        technician.load(file, b"open sesame")
    with pytest.raises(technician.KeyFileError, match=r"NAME\.pem"):
        technician.make(tmp_path / "li wei.pem", None)


def test_a_label_of_another_size_is_made_of_a_report(tmp_path: Path) -> None:
    """P-306"""
    key = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
    file = tmp_path / "T0001.report.json"
    file.write_bytes(signed.sign(commissioning.REPORT, report(), "li.wei", key))
    told = CliRunner().invoke(app, ["label", str(file), "--width", "62", "--height", "29", "--dpi", "300"])
    assert told.exit_code == 0, told.output
    with Image.open(tmp_path / "T0001.label.png") as picture:
        assert (picture.size, round(picture.info["dpi"][0])) == ((732, 343), 300)
    assert 'width="62mm"' in (tmp_path / "T0001.label.svg").read_text()
    file.write_text("{}")
    assert CliRunner().invoke(app, ["label", str(file)]).exit_code == 1
