"""The API answers as the contract writes it."""

import json
from datetime import timedelta
from typing import Any

import httpx

from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES
from tests.browser import Browser
from tests.people import a_person
from tests.web.api import signed_in


async def test_a_tip_is_told_with_how_it_was_chosen(rt: Runtime, browser: Browser):
    ada = await signed_in(rt, browser, tasks=4)

    served = await browser.recommend()

    tip = served.pop("tip")
    assert tip.pop("impression_id")
    assert tip.pop("id") in ada.item_ids
    assert tip.pop("content").startswith("ada's task ")
    assert tip == {
        "kind": "task",
        "detail": "Home",
        "source": "todoist",
        "source_url": None,
        "due": None,
        "actions": ["done", "snooze", "dismiss"],
    }
    assert served == {
        "policy": "random",
        "policy_version": "1",
        "propensity": 0.25,
        "reasons": [],
        "served_at": "2026-11-23T09:00:00Z",
    }


async def test_nothing_to_say_is_told_with_its_reason(rt: Runtime, browser: Browser):
    await signed_in(rt, browser, tasks=0)

    nothing_suitable = await browser.recommend()
    await browser.send("PUT", "/api/v1/me/preferences", {"paused": True})
    resting = await browser.recommend()
    await browser.send("PUT", "/api/v1/me/preferences", {"paused": False})
    await browser.send("DELETE", "/api/v1/connections/todoist")
    no_source = await browser.recommend()

    assert nothing_suitable == {"tip": None, "reason": "nothing_suitable"}
    assert resting == {"tip": None, "reason": "resting"}
    assert no_source == {"tip": None, "reason": "no_source"}


async def test_every_surface_can_ask(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    served = [await browser.recommend(surface) for surface in ("web", "push", "api")]

    assert served[0] == served[1] == served[2]


async def test_feedback_tells_the_reward_and_an_undo_none(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    impression_id = (await browser.recommend())["tip"]["impression_id"]

    done = await browser.react(impression_id, "done", dwell_ms=None)
    undone = await browser.react(impression_id, "undo")

    assert done.json() == {"reward": 0.8, "accepted": True}
    assert undone.json() == {"reward": None, "accepted": True}


async def test_feedback_takes_a_time_with_any_offset(rt: Runtime, browser: Browser, clock: FakeClock):
    await signed_in(rt, browser)
    impression_id = (await browser.recommend())["tip"]["impression_id"]
    clock.advance(timedelta(days=2))

    response = await browser.react(impression_id, "done", reacted_at="2026-11-23T14:30:00.5+05:30")

    assert response.status_code == 200


async def test_another_answer_is_409(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    impression_id = (await browser.recommend())["tip"]["impression_id"]
    await browser.react(impression_id, "done")

    response = await browser.react(impression_id, "dismiss")

    assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")


def of_todoist(connections: list[dict[str, Any]]) -> dict[str, Any]:
    return next(entry for entry in connections if entry["source"] == "todoist")


async def test_connections_tell_every_source_and_its_state(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    connected = (await browser.get("/api/v1/connections")).json()
    await browser.send("DELETE", "/api/v1/connections/todoist")
    disconnected = (await browser.get("/api/v1/connections")).json()

    told = {entry["source"]: (entry["name"], entry["state"]) for entry in connected}
    assert told == {source.name: (source.title, "not_connected") for source in SOURCES} | {
        "todoist": ("Todoist", "connected")
    }
    assert {"google_calendar": "Google Calendar", "ical": "Calendar feed", "caldav": "CalDAV tasks"}.items() <= {
        name: title for name, (title, _) in told.items()
    }.items()
    assert of_todoist(connected)["last_read_at"].endswith("Z")
    assert of_todoist(disconnected) == {
        "source": "todoist",
        "name": "Todoist",
        "state": "not_connected",
        "last_read_at": None,
    }


async def test_me_tells_who_is_calling(browser: Browser):
    await browser.sign_in("ada@sandbox.test")

    me = (await browser.get("/api/v1/me")).json()

    assert me.pop("id")
    assert [consent["document"] for consent in me.pop("consents")] == ["privacy", "terms"]
    assert me == {"email": "ada@sandbox.test", "role": "user", "created_at": "2026-11-23T09:00:00Z"}


async def test_preferences_begin_with_nothing_shared(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    assert (await browser.get("/api/v1/me/preferences")).json() == {
        "time_zone": None,
        "quiet_from": "22:00",
        "quiet_to": "08:00",
        "notify": False,
        "paused": False,
        "learn_across_people": False,
        "allow_remote_ai": False,
        "push_budget_per_week": 5,
    }


async def test_preferences_keep_what_is_left_out(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    changes = {"time_zone": "America/St_Johns", "quiet_from": "23:30", "notify": True, "push_budget_per_week": 0}

    changed = await browser.send("PUT", "/api/v1/me/preferences", changes)
    kept = await browser.send("PUT", "/api/v1/me/preferences", {"paused": True, "quiet_from": None})

    assert changed.status_code == 200
    assert kept.json() == (await browser.get("/api/v1/me/preferences")).json()
    assert {name: kept.json()[name] for name in changes} == changes
    assert kept.json()["paused"] is True


async def test_preferences_are_ones_own(rt: Runtime, app: httpx.ASGITransport):
    async with Browser(rt, app) as of_ada, Browser(rt, app) as of_ben:
        await signed_in(rt, of_ada, "ada")
        await signed_in(rt, of_ben, "ben")

        await of_ada.send("PUT", "/api/v1/me/preferences", {"paused": True})

        assert (await of_ben.get("/api/v1/me/preferences")).json()["paused"] is False


async def test_an_export_is_a_download(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    await browser.recommend()

    response = await browser.get("/api/v1/me/export")

    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"] == 'attachment; filename="oo.json"'
    held = json.loads(response.text)
    assert held["account"]["email"] == "ada@sandbox.test"
    assert len(held["decision"]) == 1


async def test_after_deleting_the_session_is_over(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    ben = await a_person(rt, "ben")

    response = await browser.send("DELETE", "/api/v1/me")

    assert response.json() == {"deleted": True, "not_told": [], "not_completed": 0}
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    assert (await browser.get("/api/v1/me")).status_code == 401
    assert await rt.vault.for_user(ben.id)
