import pytest

from oo_app.kit.errors import Busy, Conflict, Invalid, NotSignedIn, TooMany
from oo_app.runtime import Runtime
from state.errors import on_browser_error, on_error
from tests.state.screens import said


def test_nobody_is_led_to_the_door(rt: Runtime) -> None:
    assert said(on_error(NotSignedIn())) == "/"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Conflict(), "Already answered."),
        (Invalid("That does not fit here"), "That does not fit here."),
        (TooMany(retry_after=3), "Too many requests."),
        (Busy(), "Not reachable just now."),
    ],
)
def test_expected_errors_are_said_calmly(rt: Runtime, error: Exception, sentence: str) -> None:
    assert said(on_error(error)) == sentence


def test_a_bug_is_shown_as_an_id_and_nothing_else(rt: Runtime) -> None:
    sentence = said(on_error(RuntimeError("secret words of a task")))

    assert sentence.startswith("Something went wrong.")
    assert "secret" not in sentence


def test_what_a_browser_reports_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    on_browser_error(Exception("secret words of a task"))

    assert "secret" not in "".join(capsys.readouterr())
