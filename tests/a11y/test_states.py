"""Nobody is shut out: every page, in every state, at every size, for eyes, ears, thumbs and those who want calm."""

import pytest

from pages import PAGES
from tests.a11y.exam import Exam
from tests.a11y.states import DOCS, STATES
from tests.a11y.visit import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("route", STATES)
async def test_nothing_is_wrong_in_any_state(route: str, visit: Visit) -> None:
    exam = Exam(visit.page, await visit.context.new_cdp_session(visit.page))
    found: list[str] = []
    for state in STATES[route]:
        await state.reach(visit)
        found += await exam.findings(f"{route} {state.name}")

    found += visit.complaints
    assert not found, "\n".join(found)


async def test_every_page_has_its_states_listed() -> None:
    assert {page.route for page in PAGES} | {DOCS} == set(STATES)
