"""Edge and server together: the page from `upright serve`, asking it about pictures that it is unsure of."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from .conftest import Visit, comes_to, serving
from .reference import DEMO, kept_answers


def test_served_page_turns_the_demo_pictures(visit: Callable[..., Visit], service: str) -> None:
    opened = visit(service)
    assert opened.page.evaluate("() => crossOriginIsolated")
    sure = [row for row in kept_answers() if row["turn"]]
    opened.add(*(DEMO / row["picture"] for row in sure))
    opened.wait_decided(len(sure))
    assert {name: card["turn"] for name, card in opened.cards().items()} == {r["picture"]: r["turn"] for r in sure}


def test_a_first_visit_loads_less_than_five_megabytes(visit: Callable[..., Visit], service: str) -> None:
    opened = visit("about:blank", ready=False)
    sizes: dict[str, int] = {}
    opened.page.context.on(
        "requestfinished",
        lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}),
    )
    opened.page.goto(service)
    expect(opened.page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
    parts = ("model-int8.onnx", "xnnpack.wasm")
    comes_to(opened.page, lambda: all(any(part in url for url in sizes) for part in parts), True)
    opened.page.wait_for_timeout(500)
    assert not any(".wasm.gz" in url and "ort" in url for url in sizes), "ONNX Runtime is for other networks"
    assert 4e6 < sum(sizes.values()) < 5e6, sizes


def test_server_is_asked_about_unsure_pictures_alone(visit: Callable[..., Visit], service: str, pictures: Path) -> None:
    opened = visit(service)
    sent: list[str] = []
    opened.page.context.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    opened.add(pictures / "large-90.jpg", pictures / "blank.png")
    opened.wait_decided(2)
    assert (opened.cards()["blank.png"]["group"], sent) == ("unsure", [])
    opened.page.locator("#server").check()
    account = opened.page.locator("#server-account")
    expect(account).to_contain_text("Views sent: 1 (")
    opened.add(pictures / "letter-180.jpg", pictures / "sign-90.png")
    opened.wait_decided(4)
    expect(account).to_have_attribute("data-answered", "2")
    unsure_here = sum("server" in card["detail"] or card["group"] == "unsure" for card in opened.cards().values())
    assert len(sent) == unsure_here == 2, "each unsure picture is sent once, and no other"
    assert set(sent) == {f"{service}v1/orientation?promise=balanced"}
    expect(account).to_contain_text("Views sent: 2 (")
    told = re.search(r"\((\d+(?:\.\d)?) kB\). Stayed here: (\d+) kB", account.inner_text())
    assert told, account.inner_text()
    files = sum((pictures / name).stat().st_size for name in opened.cards())
    assert float(told[1]) + float(told[2]) == pytest.approx(files / 1000, abs=2)


def test_the_server_is_asked_for_what_is_shown(visit: Callable[..., Visit], service: str, pictures: Path) -> None:
    opened = visit(service)
    sent: list[str] = []
    opened.page.context.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    opened.page.get_by_role("switch", name="Show how crooked text lies").check()
    opened.page.get_by_role("switch", name="Also look for mirrored pictures").check()
    opened.page.locator("#server").check()
    opened.add(pictures / "blank.png")
    opened.wait_decided(1)
    expect(opened.page.locator("#server-account")).to_have_attribute("data-answered", "1")
    assert sent == [f"{service}v1/orientation?promise=balanced&tilt=true&mirror=true"]
    expect(opened.page.locator(".detail")).to_contain_text("mirrored or not: nothing tells · no tilt to tell")


def test_what_the_server_finds_mirrored_is_shown_mirrored(
    visit: Callable[..., Visit], service: str, pictures: Path
) -> None:
    opened = visit(service)
    found = {"turn": 180, "best": 180, "confidence": 0.995, "mirrored": True, "tilt": 1.5, "tilt_error": 0.5}
    opened.page.context.route("**/v1/orientation?*", lambda route: route.fulfill(json=found))
    for name in ("crooked text lies", "mirrored pictures"):
        opened.page.get_by_role("switch", name=name).check()
    opened.page.locator("#server").check()
    opened.add(pictures / "blank.png")
    card = opened.page.locator(".card")
    expect(card.locator(".badge")).to_have_text("Mirrored and turned by 180°")
    expect(card).to_have_attribute("data-mirrored", "true")
    expect(card.locator(".detail")).to_have_text("99.5 % sure, says the server · tilt +1.50° ± 0.50°")


def test_a_server_that_is_unsure_changes_no_answer(visit: Callable[..., Visit], service: str, pictures: Path) -> None:
    """It sees a view, this device all of the picture: its guess is worth less."""
    opened = visit(service)
    found = {"turn": None, "best": 180, "confidence": 0.6, "reason": "below_threshold"}
    opened.page.context.route("**/v1/orientation?*", lambda route: route.fulfill(json=found))
    opened.add(pictures / "blank.png")
    opened.wait_decided(1)
    before = opened.cards()["blank.png"]
    opened.page.locator("#server").check()
    expect(opened.page.locator("#server-account")).to_have_attribute("data-answered", "1")
    assert opened.cards()["blank.png"] == before and before["group"] == "unsure"


def test_a_server_with_keys_is_asked_with_one(
    visit: Callable[..., Visit], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPRIGHT_API_KEYS", "page:correct-horse-battery-staple")
    with serving() as address:
        opened = visit(address)
        page = opened.page
        opened.add(pictures / "blank.png")
        opened.wait_decided(1)
        page.locator("#server").click()  # goes back at once
        expect(page.get_by_role("alert")).to_contain_text("wants an API key")
        expect(page.locator("#server")).not_to_be_checked()
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Ask with it").click()
        expect(page.get_by_role("alert")).to_contain_text("does not know this API key")
        page.get_by_label("API key").fill("correct-horse-battery-staple")
        page.get_by_role("button", name="Ask with it").click()
        account = page.locator("#server-account")
        expect(account).to_have_attribute("data-answered", "1")
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#server")).to_be_checked()
        # The browser itself reports the refused requests.
        opened.complaints[:] = [text for text in opened.complaints if "401" not in text]


def test_a_server_that_does_not_answer_stops_nothing(
    visit: Callable[..., Visit], tiny_site: str, pictures: Path
) -> None:
    opened = visit(tiny_site, ready=False)
    page = opened.page
    page.clock.install()
    page.reload()
    expect(page.locator("#engine")).to_contain_text("WebAssembly")
    page.route("**/readyz", lambda route: route.fulfill(json={"status": "ready"}))
    asked: list[Route] = []
    page.route("**/v1/orientation?*", lambda route: asked.append(route))  # the method of a list cannot be one
    switch, alert = page.locator("#server"), page.get_by_role("alert")
    switch.check()
    for number in range(8):
        opened.add(pictures / "blank.png")
        opened.wait_decided(number + 1)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(9)
    assert opened.cards()["sky-90.png"]["turn"] == 90
    expect(page.locator("#server-account")).to_contain_text("Views sent")
    page.clock.fast_forward(31_000)
    expect(alert).to_have_text("The server did not answer within 30 seconds; the switch is off again.")
    expect(switch).not_to_be_checked()
    # Switched on again, it is asked again; what is given up says nothing of it.
    before = len(asked)
    switch.check()
    expect(alert).to_be_hidden()
    comes_to(page, lambda: len(asked) > before, True)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    switch.uncheck()
    comes_to(page, lambda: bool(failed), True)
    page.wait_for_timeout(300)
    assert alert.is_hidden()
    before = len(asked)
    switch.check()
    comes_to(page, lambda: len(asked) > before, True)
    failed.clear()
    page.get_by_role("button", name="Clear all").click()
    comes_to(page, lambda: bool(failed), True)
    page.wait_for_timeout(300)
    assert alert.is_hidden()
    expect(switch).to_be_checked()


def test_the_account_is_of_the_whole_visit(visit: Callable[..., Visit], tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    page = opened.page
    page.route("**/readyz", lambda route: route.fulfill(json={"status": "ready"}))
    found = {"turn": 90, "best": 90, "confidence": 0.97}
    page.route("**/v1/orientation?*", lambda route: route.fulfill(json=found))
    page.locator("#server").check()
    opened.add(pictures / "blank.png", pictures / "large-90.jpg")
    opened.wait_decided(2)
    account = page.locator("#server-account")
    expect(account).to_have_attribute("data-answered", re.compile("[12]"))
    expect(account).not_to_contain_text("Stayed here: 0")
    page.wait_for_timeout(500)
    before = account.inner_text()
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_timeout(300)
    assert account.inner_text() == before
