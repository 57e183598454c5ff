"""A plant of one line and its filter, as files that a gateway reads."""

from pathlib import Path

from gateway.registry import Point
from tests.gateway.support import Sender, write_key

POINTS = {
    1: Point(number=1, name="furnace", kind="production"),
    2: Point(number=2, name="filter", kind="treatment"),
}
ENTERPRISE = """\
[[enterprise]]
id = "E1"
name = "First steelworks"

[[enterprise.linkage]]
name = "furnace 1"
production = ["T0001/1"]
treatment = ["T0001/2"]
production_on_w = 1000
treatment_on_w = 500
"""


def configured(folder: Path, sender: Sender, enterprises: str = ENTERPRISE) -> Path:
    """gateway.toml and all it names, in the folder."""
    write_key(folder / f"{sender.name}.hex", sender.secret)
    (folder / "terminals.toml").write_text(
        '[[terminal]]\nid = "T0001"\nkeys = [{generation = 1, file = "T0001.hex"}]\npoints = [\n'
        '    {number = 1, name = "furnace", kind = "production"},\n'
        '    {number = 2, name = "filter", kind = "treatment"},\n]\n'
    )
    (folder / "enterprises.toml").write_text(enterprises)
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\nenterprises = "enterprises.toml"\n'
        '[mqtt]\nhost = "127.0.0.1"\nport = 1\n'
    )
    return config
