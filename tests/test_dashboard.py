"""Ray's dashboard as a person sees it, and its metrics, of a run that goes on."""

import asyncio
import base64
import contextlib
import os
import re
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.browser import BROWSER, HEADLESS
from tests.live_run import GENERATION, PATIENCE_S, LiveRun, eventually, token

FLAGS = (
    *HEADLESS,
    "--window-size=1500,720",
    "--remote-debugging-port=0",
)
PICTURE = os.environ.get("SWEEPS_PICTURE")
"""Where to keep a picture of the Actors page: docs/dashboard.png."""
EXPORTED = {
    f"sweeps_{name}" for name in ("tasks_total", "rows_total", "model_loads_total", "tokens_per_s", "queue_depth")
}
pytestmark = [pytest.mark.ray, pytest.mark.slow]


class PageChanged(Exception):
    """The page went away while it was asked."""


class Page:
    """A page of a headless Chromium, over the DevTools protocol: --dump-dom could neither log in nor wait."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        self._socket = socket
        self._calls = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while (message := await self._socket.receive_json()).get("id") != self._calls:
            pass  # an event
        if "navigated" in message.get("error", {}).get("message", ""):
            raise PageChanged(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, script: str) -> Any:
        """Return the value of `script`, as soon as it has one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(PageChanged):  # and the next one may have it
                    if value := await self.evaluate(script):
                        return value
                await asyncio.sleep(0.1)

    async def click(self, text: str) -> None:
        """On the innermost element that says exactly that, once it is there."""
        of_text = f"[...document.querySelectorAll('*')].filter(it => it.innerText === '{text}').pop()"
        await self.until(f"{of_text} !== undefined")
        await self.evaluate(f"{of_text}.click()")

    async def picture(self) -> bytes:
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@contextlib.asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    process = subprocess.Popen(
        [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:
        port_file = profile / "DevToolsActivePort"
        port = eventually(lambda: port_file.exists() and port_file.read_text().splitlines()[0], "a browser")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                (target,) = [target for target in await response.json() if target["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


async def log_in(page: Page) -> None:
    """Hand the token in where the dashboard asks for it, as a person does."""
    await page.until("document.querySelector('input[type=password]') !== null")
    await page.evaluate("document.querySelector('input[type=password]').focus()")
    await page.call("Input.insertText", text=token())
    await page.evaluate("[...document.querySelectorAll('[role=dialog] button')].pop().click()")
    await page.until("document.querySelector('input[type=password]') === null")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRun]:
    run = LiveRun(tmp_path_factory.mktemp("live"), GENERATION.format(tokens=list(range(64, 192))))
    yield run
    run.stop()


@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH")
def test_workers_have_telling_names_and_calls_are_named_by_benchmark_and_cell(live: LiveRun, tmp_path: Path) -> None:
    async def look() -> tuple[str, str]:
        async with browser(tmp_path / "profile") as page:
            await page.call("Page.navigate", url=f"{live.dashboard()}/#/actors")
            await log_in(page)
            actors = await page.until("document.querySelector('tbody')?.innerText.match(/[^]*tiny-base[^]*/)?.[0]")
            if PICTURE:
                Path(PICTURE).write_bytes(await page.picture())
            await page.call("Page.navigate", url=f"{live.dashboard()}/#/jobs/01000000")
            await page.click("Task Table")
            calls = await page.until(
                "document.body.innerText.match(/generation: .*max_new_tokens=\\d+ prompt_words=\\d+/)?.[0]"
            )
        return actors, calls

    actors, call = asyncio.run(look())
    assert re.search(r"cpu cpu-\d live 01000000\s+\S.* \[cpu, 1 core\] builtin://tiny-base", actors)
    assert "coordinator live 01000000" in actors
    assert call.startswith("generation: generation max_new_tokens=")


def test_the_page_shows_nothing_without_the_token(live: LiveRun) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{live.dashboard()}/api/v0/actors", timeout=PATIENCE_S)
    refused.value.close()
    assert refused.value.code == 401


def test_prometheus_finds_what_the_run_does(live: LiveRun) -> None:
    def sample() -> dict[str, str] | None:
        text = "".join(map(fetch, targets(live)))
        found = dict(re.findall(r"^ray_(sweeps_\w+)\{(.*)\} [1-9]", text, re.MULTILINE))
        return found if set(found) >= EXPORTED else None

    samples = eventually(sample, "samples of all instruments")
    for label in ('run="live"', 'benchmark="generation"', 'status="ok"', 'device_class="cpu"'):
        assert label in samples["sweeps_tasks_total"]
    assert 'slot="cpu, 1 core"' in samples["sweeps_queue_depth"]


def targets(live: LiveRun) -> list[str]:
    """Return the addresses that Prometheus is given."""
    listing = fetch(f"{live.dashboard()}/api/prometheus/sd", {"Authorization": f"Bearer {token()}"})
    return [f"http://{address}/metrics" for address in re.findall(r"[\d.]+:\d+", listing)]


def fetch(url: str, headers: dict[str, str] | None = None) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=PATIENCE_S) as response:
        return str(response.read().decode())
