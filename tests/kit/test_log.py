"""Libraries that log whole events, cookies and all, are heard only as to where and what kind."""

import logging

import pytest

from oo_app.kit import log


@pytest.mark.parametrize(
    "name", ["reflex_base.event.processor", "reflex.state", "socketio.server", "engineio", "anything.else"]
)
def test_a_librarys_own_words_never_reach_the_log(capsys: pytest.CaptureFixture[str], name: str):
    log.configure(as_json=True)

    try:
        int("oo_session=planted")
    except ValueError:
        logging.getLogger(name).exception("Error processing Event(cookie='oo_session=planted')")

    said = "".join(capsys.readouterr())
    assert "planted" not in said
    assert "ValueError" in said


def test_a_refused_socket_is_no_error(capsys: pytest.CaptureFixture[str]):
    log.configure(as_json=True)

    logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
    logging.getLogger("uvicorn.error").error("Something else.")

    said = capsys.readouterr().err
    assert ("handshake" in said, "Something else." in said) == (False, True)


@pytest.mark.parametrize("as_json", [True, False])
def test_of_an_exception_the_places_are_told_and_not_the_message(capsys: pytest.CaptureFixture[str], *, as_json: bool):
    log.configure(as_json=as_json)

    secret = f"{len(capsys.__class__.__name__)}-planted"  # put together, since the lines of the source are told

    def fails() -> None:
        try:
            int(secret)
        except ValueError as error:
            raise KeyError(secret) from error

    try:
        fails()
    except KeyError as error:
        log.get("here").error("it.failed", exc_info=error)
        log.get("here").exception("it.failed")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    said = capsys.readouterr().err
    assert secret not in said
    assert said.count("KeyError") >= 3
    assert said.count("ValueError") >= 3
    assert "test_log.py" in said
    assert "Exception in ASGI application" in said
