"""`wattline field bundle`: release keys, and releases of the terminal's application and of its whole image."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from firmware import image
from firmware.field.board import esp_image
from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.identify import BOARD_OF_CHIP
from firmware.field.update import keys, release
from protocol import sign1, update
from protocol.host import bundle

DAY_S = 86400
SUFFIX = ".wlb"

app = typer.Typer(help="Releases of the terminal's application. 终端应用升级包", no_args_is_help=True)


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field bundle keygen release.pem\n\n"
    "Exit status / 退出码: 0 made, 1 not, 2 usage."
)
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the private key goes: *.pem. 私钥文件")],
) -> None:
    """Make a release key: FILE signs, FILE.pub.pem is for everybody. Keep FILE off gateways. 生成发布密钥"""
    try:
        key = keys.generate(file)
    except keys.ReleaseKeyError as error:
        _end(str(error))
    typer.echo(f"{file}: signs / 签名用, {file.with_suffix('.pub.pem')}: {sign1.key_id(key.point).hex()}")


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field bundle trust release.pub.pem --out update_keys.json\n\n"
    "Exit status / 退出码: 0 made, 1 not, 2 usage."
)
def trust(
    files: Annotated[list[Path], typer.Argument(help="Public keys, *.pub.pem. 公钥文件")],
    out: Annotated[Path, typer.Option(help="The file. 输出文件")] = Path(update.KEYS_NAME),
) -> None:
    """Write the file by which a terminal knows its release keys. 生成终端信任的发布公钥文件"""
    try:
        points = [keys.load_point(one).hex() for one in files]
        if len(points) > update.KEYS_MAX:
            _end(f"a terminal knows {update.KEYS_MAX} keys at most / 终端最多信任 {update.KEYS_MAX} 个公钥")
        out.write_text(json.dumps({"keys": points}) + "\n", encoding="utf-8")
    except (keys.ReleaseKeyError, OSError) as error:
        _end(str(error))
    typer.echo(f"{out}: {', '.join(sign1.key_id(bytes.fromhex(one)).hex() for one in points)}")


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field bundle make --board esp32s3 --key release.pem\n\n"
    "  wattline field bundle make --board rp2 --key release.pem --precursor 3f... --best-before-days 30\n\n"
    "Exit status / 退出码: 0 made, 1 not, 2 usage."
)
def make(
    board: Annotated[str, typer.Option(help=f"{', '.join(image.BOARDS)}. 板型")],
    key: Annotated[Path, typer.Option(help="The release key. 发布私钥")],
    out: Annotated[Path | None, typer.Option(help="The bundle's file; wattline-BOARD-NUMBER.wlb. 输出文件")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="An image; without: this checkout. 映像目录")] = None,
    number: Annotated[
        int | None, typer.Option(min=1, max=0xFFFFFFFF, help="Rises; the commit's time without. 发布序号")
    ] = None,
    best_before_days: Annotated[int, typer.Option(min=1, max=3650, help="From today. 有效天数")] = 90,
    precursor: Annotated[
        list[str] | None, typer.Option(help="An application that it may replace. 可替换的应用")
    ] = None,
) -> None:
    """Make and sign a release of the application, for one board. 制作并签名升级包"""
    if board not in image.BOARDS:
        _end(f"no such board / 没有该板型: {board}; {', '.join(image.BOARDS)}", 2)
    precursors = _digests(precursor or [])
    try:
        version, built_s = image.version_here(), image.built_here_s()
        files = image.application(folder) if folder else release.built(board, version, built_s)
        if not files:
            _end(f"{folder}: no application in it / 目录中没有应用程序")
        before_s = int(time.time()) + best_before_days * DAY_S
        one = release.described(number or built_s, ".".join(map(str, version)), board, before_s, precursors)
        data = release.make(files, one, keys.load(key))
        target = out or Path(f"wattline-{board}-{one.number}{SUFFIX}")
        target.write_bytes(data)
    except (image.ImageError, update.UpdateError, keys.ReleaseKeyError, OSError) as error:
        _end(str(error))
    typer.echo("\n".join(_lines(target, _told(bundle.read(data), ""))))


@app.command(
    "make-image",
    epilog="Examples / 示例:\n\n"
    "  wattline field bundle make-image ESP32_GENERIC_S3-20260901-v1.27.0.app-bin --key release.pem\n\n"
    "Exit status / 退出码: 0 made, 1 not, 2 usage.",
)
def make_image(
    file: Annotated[Path, typer.Argument(help="MicroPython's application for the board: *.app-bin. 固件应用映像")],
    key: Annotated[Path, typer.Option(help="The release key. 发布私钥")],
    out: Annotated[Path | None, typer.Option(help="wattline-image-BOARD-NUMBER.wlb. 输出文件")] = None,
    number: Annotated[
        int | None, typer.Option(min=1, max=0xFFFFFFFF, help="Above all releases'; now without. 发布序号")
    ] = None,
    best_before_days: Annotated[int, typer.Option(min=1, max=3650, help="From today. 有效天数")] = 90,
    precursor: Annotated[
        list[str] | None, typer.Option(help="An application that runs on it; any without. 可运行的应用")
    ] = None,
) -> None:
    """Make and sign a release of MicroPython itself, for boards with two partitions of it. 制作整机固件升级包"""
    now_s = int(time.time())
    try:
        content = file.read_bytes()
        found = esp_image.application(content, file.name)
        board, version = BOARD_OF_CHIP.get(found.chip), ".".join(map(str, found.version or ()))
        if board is None:
            _end(f"{file}: for / 芯片 {found.chip}; {', '.join(BOARD_OF_CHIP)}")
        before_s = now_s + best_before_days * DAY_S
        one = release.described(number or now_s, version, board, before_s, _digests(precursor or []))
        data = release.make_image(content, one, keys.load(key))
        target = out or Path(f"wattline-image-{board}-{one.number}{SUFFIX}")
        target.write_bytes(data)
    except (BoardRefusedError, update.UpdateError, keys.ReleaseKeyError, OSError) as error:
        _end(str(error))
    typer.echo("\n".join(_lines(target, _told(bundle.read(data), ""))))


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field bundle show wattline-rp2-1767225600.wlb --key release.pub.pem\n\n"
    "Exit status / 退出码: 0 it is right, 1 it is not, 2 usage."
)
def show(
    file: Annotated[Path, typer.Argument(help="A bundle. 升级包")],
    key: Annotated[Path | None, typer.Option(help="Who should have signed it: *.pub.pem. 公钥")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")] = False,
) -> None:
    """Check a release's file, byte for byte, and say what it is. 检查升级包"""
    try:
        found = bundle.read(file.read_bytes(), None if key is None else [keys.load_point(key)])
    except (update.UpdateError, keys.ReleaseKeyError, OSError) as error:
        _end(f"{file}: {error}")
    told = _told(found, str(key or ""))
    typer.echo(json.dumps(told) if as_json else "\n".join(_lines(file, told)))


def _told(found: bundle.Bundle, signer: str) -> dict[str, Any]:
    one = found.manifest
    return {
        "number": one.number,
        "kind": "image" if one.kind == update.IMAGE else "application",
        "version": one.version,
        "board": one.board,
        "loader": one.loader,
        "best_before": datetime.fromtimestamp(one.best_before_s, UTC).isoformat(),
        "application": one.application.hex(),
        "precursors": [each.hex() for each in one.precursors],
        "files": len(found.files),
        "payload_bytes": one.payload_bytes,
        "key": update.signed_of(found.signed).kid.hex(),
        "signed_by": signer or None,
    }


def _lines(file: Path, told: dict[str, Any]) -> list[str]:
    verified = told["signed_by"] or "not checked: --key / 未核对"
    kind = {"application": "application / 应用", "image": "image / 整机固件"}[told["kind"]]
    replaces = ", ".join(told["precursors"]) or "any / 任意"
    return [
        f"{file}: release / 发布 {told['number']}, {told['version']}, {told['board']}",
        f"  {kind} {told['application']}, {told['files']} files, {told['payload_bytes']} bytes",
        f"  best before / 有效期至 {told['best_before']}, replaces / 可替换 {replaces}",
        f"  key / 密钥 {told['key']}, signed by / 签名 {verified}",
    ]


def _digests(texts: list[str]) -> list[bytes]:
    for one in texts:
        if not re.fullmatch(r"[0-9a-f]{64}", one):
            _end(f"{one}: an application is 64 hex digits, as `bundle show` says them / 需为 64 位十六进制", 2)
    return [bytes.fromhex(one) for one in texts]


def _end(text: str, status: int = 1) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(status)
