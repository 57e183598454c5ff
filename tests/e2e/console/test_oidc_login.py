"""Login by a provider in the real browser: between two sites, by the provider's own page."""

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gateway.files import write_secret
from hil.ports import free_port
from hil.process import Process
from tests.e2e.console import house
from tests.e2e.console.browser import TIMEOUT_MS, chromium

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]


def test_somebody_logs_in_on_the_providers_page(tmp_path: Path) -> None:
    """P-379: cookies that go to no other site come back from it all the same; who is in no group is told so."""
    config, port, own = house.files(tmp_path / "plant"), free_port(), free_port()
    claims = [{"sub": "wang", "preferred_username": "wang", "groups": ["operators"]}, {"sub": "zhao", "groups": []}]
    known = [word for one in claims for word in ("--user-claims", json.dumps(one))]
    # another name than the console's: for the browser it is another site
    section = f'issuer = "http://localhost:{port}"\nclient_id = "console"\naddress = "http://127.0.0.1:{own}/"\n'
    text = config.read_text().replace("port = 0\n", f"port = {own}\n")
    write_secret(config.parent / "oidc.secret", "a secret of sixteen")
    section += 'client_secret_file = "oidc.secret"\n'
    config.write_text(f'{text}[console.oidc]\nname = "统一认证"\noperators = "operators"\n{section}')
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", *known]
    provider = Process("provider", command, tmp_path / "provider.log")
    provider.start()
    with provider, house.console(config) as address, chromium() as browser:
        provider.wait_for_line("Uvicorn running", 60)
        page = browser.new_context(locale="zh-CN").new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(address)
        page.get_by_role("link", name="使用 统一认证 登录").click()
        page.locator("input[name=sub]").first.fill("zhao")
        page.locator("button[type=submit], button:not([name=action])").first.click()
        expect(page.get_by_role("alert")).to_contain_text("您不在可使用控制台的任何组中")
        page.get_by_role("link", name="使用 统一认证 登录").click()
        page.locator("input[name=sub]").first.fill("wang")
        page.locator("button[type=submit], button:not([name=action])").first.click()
        expect(page.locator("header")).to_contain_text("oidc:wang · 操作员")
        page.reload()
        expect(page.locator("header")).to_contain_text("oidc:wang")
