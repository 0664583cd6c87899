"""Libraries that log whole events, cookies and all, are heard only as to where and what kind."""

import logging

import pytest

from oo_app.kit import log


@pytest.mark.parametrize("name", ["reflex_base.event.processor", "reflex.state", "socketio.server", "engineio"])
def test_a_librarys_own_words_never_reach_the_log(capsys: pytest.CaptureFixture[str], name: str):
    log.configure(as_json=True)

    try:
        int("oo_session=planted")
    except ValueError:
        logging.getLogger(name).exception("Error processing Event(cookie='oo_session=planted')")

    said = "".join(capsys.readouterr())
    assert "planted" not in said
    assert "ValueError" in said
