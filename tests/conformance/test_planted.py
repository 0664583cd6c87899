"""A source that is broken in one way fails the check that looks for it, and no other that stands beside."""

from pathlib import Path

import pytest

from oo_app.conformance import CHECKS, prepare, tried
from tests.conformance.page import planted, tidy

pytestmark = pytest.mark.long

# Checks that each of the broken sources below is put to, besides the one that must find it out.
BYSTANDERS = ("nothing", "clock-skew", "completion", "leaving")
EMPTY = """Answer(200, {}, b'{"todos": [], "seq": 1}')"""
GOES_ANYWHERE = """async def _anywhere(door, method, url, headers):
    answer = await door.http.send(method, url, headers=headers)
    if answer.status == 302:
        return await door.http.send(method, answer.headers["location"], headers=headers)
    return answer


SOURCE = Tidy()"""
LAX = """def _lax(answer):
    try:
        return answer.json()
    except SourceDown:
        return {"todos": [], "seq": 1}


SOURCE = Tidy()"""
NOW = """changed_at=__import__("datetime").datetime.now(__import__("datetime").UTC),"""
DAMAGES: dict[str, tuple[tuple[tuple[str, str], ...], set[str]]] = {
    "loses the second page": ((('told.get("more") is not True', "True"),), {"paging"}),
    "counts from the last page": ((("seq if first_seq is None else first_seq", "seq"),), {"changes-meanwhile"}),
    "trusts the order of arrival": ((("changed_at=changed_at,", NOW),), {"older-answers"}),
    "swallows 401": ((("        raise TokenRefused", "        pass"),), {"401-for-ever", "revoked"}),
    "takes 401 for an empty list": ((("        raise TokenRefused", f"        return {EMPTY}"),), {"401-for-ever"}),
    "takes errors for an empty list": (
        (
            (
                "        raise SourceDown(None, status=answer.status, retry_after=answer.retry_after)",
                f"        return {EMPTY}",
            ),
        ),
        {"refusals"},
    ),
    "drops everything on a torn page": (
        (("mapping(_good(answer).json())", "_lax(answer)"), ("SOURCE = Tidy()", LAX)),
        {"torn"},
    ),
    "crashes on an unknown field": (
        (("    told = mapping(row)\n", "    told = mapping(row)\n    assert len(told) < 9\n"),),
        {"unknown-fields"},
    ),
    "sends its commands anew": (
        (("command_id})", 'str(__import__("time").monotonic_ns())})'),),
        {"completing-once"},
    ),
    "does not see deletions": (((' and told.get("deleted") is not True', ""),), {"changes"}),
    "forgets the pause": (
        (("RateLimited(None, retry_after=answer.retry_after", "RateLimited(None, retry_after=None"),),
        {"429"},
    ),
    "never reads anew": ((("answer.status == HTTPStatus.GONE and cursor", "False"),), {"lost-cursor"}),
    "does not count what repeats": ((('count(told.get("times_done"))', "None"),), {"recurrence"}),
    "folds words": ((('text(told.get("title"))', 'text(told.get("title")).casefold()'),), {"unicode"}),
    "takes its secret anywhere": (
        (("door.http.foreign.send(", "_anywhere(door, "), ("SOURCE = Tidy()", GOES_ANYWHERE)),
        {"redirect"},
    ),
    "keeps any address": (
        (('            mapping(_good(await _send(door, "GET", "?page=0")).json())["todos"]', "            pass"),),
        {"wrong-address"},
    ),
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database for checks to begin with a copy of."""
    return prepare(tmp_path_factory.mktemp("template"))


async def failing(template: Path, names: set[str], *changes: tuple[str, str]) -> set[str]:
    """Make some checks of the page's example with changes to it; return the names of those that fail."""
    source, stand = tidy(*changes)
    with planted(source):
        verdicts = [await tried(check, source, stand, template) for check in CHECKS if check.name in names]
    assert {verdict.check for verdict in verdicts} == names
    return {verdict.check for verdict in verdicts if verdict.came == "FAILED"}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damage_is_found_by_its_check(damage: str, template: Path):
    changes, expected = DAMAGES[damage]

    assert await failing(template, expected | {*BYSTANDERS}, *changes) == expected


async def test_a_sound_source_passes_what_the_damaged_ones_do_not(template: Path):
    names = set().union(*(expected for _, expected in DAMAGES.values()))

    assert await failing(template, names) == set()


async def test_words_in_the_log_are_found(template: Path):
    line = '    __import__("structlog").get_logger().info("todo", title=told.get("title"))\n    name = text('

    assert await failing(template, {"changes"}, ("    name = text(", line)) == {"changes"}


async def test_a_verb_that_is_missing_without_a_reason_is_a_failure(template: Path):
    source, stand = tidy()
    silent = type("Silent", (stand,), {"lacks": {}})
    with planted(source):
        said = {
            check.name: (await tried(check, source, silent, template)).said
            for check in CHECKS
            if check.name in {"leaving", "expiry"}
        }
    forgetful = type("Forgetful", (stand,), {"lacks": {}, "forget_cursors": stand.__mro__[1].forget_cursors})
    with planted(source):
        (lost,) = [await tried(check, source, forgetful, template) for check in CHECKS if check.name == "lost-cursor"]

    assert said == {"expiry": "it asks for a name and a password", "leaving": ""}
    assert lost.came == "FAILED"
    assert "the verb `forget_cursors`" in lost.said
