"""Events of pages: counted like requests, changes like changes, told in one line, their outcome in a word."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reflex.event import Event
from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.event.context import EventContext

from oo_app.kit import log
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict, SourceDown, TooMany
from oo_app.kit.limits import Limits
from oo_app.runtime import Runtime, use
from state.errors import on_error
from state.tip import TipState
from state.watch import handler_name, is_sent_by_client, watch
from tests.browser import Browser
from tests.metrics import value
from tests.state.screens import Tab, said

REACT = "reflex___state____state.oo_state___base____app_state.oo_state___tip____tip_state.react"


@pytest.fixture
async def tab(rt: Runtime, ada: Browser, clock: FakeClock) -> Tab:
    """Ada's tab, open, under the limits that people meet."""
    limited = replace(rt, limits=Limits(clock, 1))
    use(limited)
    new = Tab(limited)
    await new.open(ada, "/tip")
    return new


async def sent(tab: Tab, name: str) -> bool:
    """Let one event come in; return whether it was let through."""
    try:
        await tab.send(name)
    except TooMany:
        return False
    return True


async def test_a_session_may_change_20_things_at_once_and_then_one_a_second(tab: Tab, clock: FakeClock):
    assert [await sent(tab, "react") for _ in range(21)] == [True] * 20 + [False]
    clock.advance(timedelta(seconds=1))

    assert [await sent(tab, "see") for _ in range(2)] == [True, False]


async def test_changes_by_page_and_by_api_share_a_bucket(tab: Tab, app: Any, ada: Browser):
    for _ in range(20):
        await sent(tab, "react")

    response = await ada.post("/api/v1/recommend", {"surface": "web"})

    assert response.status_code == 429


async def test_opening_pages_is_no_change(tab: Tab):
    for name in ("hydrate", "hydrate_and_load", "on_load_internal", "set_is_hydrated") * 10:
        assert await sent(tab, name)

    assert [await sent(tab, "react") for _ in range(20)] == [True] * 20


async def test_a_page_loaded_by_hand_again_and_again_is_counted(tab: Tab):
    assert [await sent(tab, "load") for _ in range(21)][-1] is False


async def test_opening_pages_without_end_spends_the_address(tab: Tab):
    answers = [await sent(tab, "hydrate_and_load") for _ in range(600)]

    assert answers == [True] * 599 + [False]  # opening the tab was the first


async def test_a_made_up_cookie_brings_no_more_than_its_address_has(tab: Tab):
    answers: list[bool] = []
    for number in range(40):
        tab.root.router_data["headers"]["cookie"] = f"{tab.rt.settings.session_cookie}=made-up-{number}"
        tab.root._update_router_vars(tab.root.router_data, {})
        answers += [await sent(tab, "react") for _ in range(20)]

    assert sum(answers) == 599


async def test_another_address_has_its_own(tab: Tab):
    for _ in range(600):
        await sent(tab, "hydrate_and_load")
    tab.root.router_data["ip"] = "192.0.2.2"
    tab.root._update_router_vars(tab.root.router_data, {})

    assert await sent(tab, "hydrate_and_load")


async def test_what_a_handler_sets_off_is_not_counted_again(tab: Tab):
    root = EventContext(token="t", state_manager=StateManagerMemory(), enqueue_impl=unused, txid="")
    first = root.fork()
    token = EventContext.set(first)
    try:
        assert is_sent_by_client()
        EventContext.set(first.fork())
        assert not is_sent_by_client()
        assert [await sent(tab, "react") for _ in range(40)] == [True] * 40
    finally:
        EventContext.reset(token)


async def unused(token: str, *events: Event) -> None:
    raise AssertionError


async def test_it_is_said_calmly_and_counted(tab: Tab):
    for _ in range(20):
        await sent(tab, "react")

    with pytest.raises(TooMany) as refused:
        await tab.send("react")

    assert said(on_error(refused.value)) == "That was a little fast. Please wait a moment."
    assert value(tab.rt.metrics, "oo_limited_total", what="event") == 1


async def test_a_refused_event_still_empties_a_strangers_state(tab: Tab, ada: Browser):
    await TipState.load.fn(await tab.screen(TipState))
    content = (await tab.screen(TipState)).card.content
    for _ in range(600):
        await sent(tab, "hydrate_and_load")
    tab.root.router_data["headers"]["cookie"] = ""
    tab.root._update_router_vars(tab.root.router_data, {})

    assert not await sent(tab, "hydrate_and_load")

    assert content
    assert content not in tab.leaving()


async def done() -> None:
    pass


async def refused() -> None:
    raise Conflict


async def unavailable() -> None:
    raise SourceDown


async def failed() -> None:
    msg = "planted"
    raise ZeroDivisionError(msg)


async def cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("handler", [done, refused, unavailable, failed, cancelled])
async def test_an_event_is_one_line_and_counted_by_handler_and_outcome(
    rt: Runtime, capsys: pytest.CaptureFixture[str], handler: Callable[[], Awaitable[None]]
):
    log.configure(as_json=False)

    async def handled() -> None:
        watch(Event(name=REACT, payload={"impression_id": "planted"}))
        await handler()

    await asyncio.gather(asyncio.create_task(handled()), return_exceptions=True)
    await asyncio.sleep(0)

    line = next(each for each in capsys.readouterr().err.splitlines() if "event " in each)
    assert "handler=tip_state.react" in line
    assert f"outcome={handler.__name__}" in line
    assert ("event_id=" in line, "duration_ms=" in line, "planted" in line) == (True, True, False)
    labels = {"handler": "tip_state.react", "outcome": handler.__name__}
    assert value(rt.metrics, "oo_socket_event_seconds_count", **labels) == 1


async def test_the_line_names_who_it_was_once_that_is_known(tab: Tab, capsys: pytest.CaptureFixture[str]):
    log.configure(as_json=False)

    async def handled() -> str:
        await tab.send("react")
        return (await (await tab.screen(TipState))._user()).user_id

    user_id = await asyncio.create_task(handled())
    await asyncio.sleep(0)

    assert f"user_id={user_id}" in next(
        line for line in capsys.readouterr().err.splitlines() if "handler=" in line and "react" in line
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (REACT, "tip_state.react"),
        ("reflex___state____state.hydrate_and_load", "state.hydrate_and_load"),
        ("state.react", "state.react"),
    ],
)
def test_handlers_have_short_names(name: str, short: str):
    assert handler_name(Event(name=name)) == short
