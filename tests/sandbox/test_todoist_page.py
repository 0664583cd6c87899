import httpx

from tests.sandbox.flows import TODOIST, connect

PAGE = f"{TODOIST}/"


async def test_the_page_says_sandbox_and_shows_tasks(http: httpx.AsyncClient):
    page = (await http.get(PAGE)).text

    assert '<p class="sandbox">Sandbox</p>' in page
    assert "Water the plants 🌱" in page
    assert '<label for="content">New task</label>' in page


async def test_a_task_added_on_the_page_reaches_the_api_and_is_escaped(http: httpx.AsyncClient):
    todoist = await connect(http)
    added = await http.post(PAGE, data={"content": "<b>Mend</b> the fence", "due": "tomorrow"})
    shown = (await http.get(f"{PAGE}{added.headers['location']}")).text

    assert added.status_code == 303
    assert (await todoist.task("<b>Mend</b> the fence"))["due"]["date"] == "2026-11-24"
    assert "&lt;b&gt;Mend&lt;/b&gt; the fence" in shown
    assert "<b>Mend" not in shown


async def test_a_task_completed_on_the_page_is_gone_from_the_api(http: httpx.AsyncClient):
    todoist = await connect(http, "ben")
    task = await todoist.task("Descale the kettle")
    await http.post(f"{PAGE}?account=ben", data={"complete": task["id"]})

    assert (await todoist.get(f"/tasks/{task['id']}")).json()["checked"] is True


async def test_an_empty_account_says_so(http: httpx.AsyncClient):
    assert "<p>No tasks.</p>" in (await http.get(f"{PAGE}?account=new")).text


async def test_an_account_that_cannot_be_is_not_found(http: httpx.AsyncClient):
    assert (await http.get(f"{PAGE}?account=../x")).status_code == 404


async def test_a_reset_brings_the_persona_back(http: httpx.AsyncClient):
    await http.post(PAGE, data={"content": "Mend the fence"})
    await http.post(f"{TODOIST}/control/reset")

    assert "Mend the fence" not in (await http.get(PAGE)).text


async def test_a_tasks_own_address_leads_to_the_list_it_is_in(http: httpx.AsyncClient):
    task = await (await connect(http, "ben")).task("Descale the kettle")

    known = await http.get(f"{TODOIST}/app/task/{task['id']}")
    unknown = await http.get(f"{TODOIST}/app/task/nothing")

    assert known.headers["location"] == "../../?account=ben"
    assert unknown.headers["location"] == "../../"
