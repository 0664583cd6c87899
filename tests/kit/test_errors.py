"""The family of errors: each has its status, a sentence for the person and facts for the log."""

import pytest

from oo_app.kit import errors
from oo_app.kit.errors import OoError, Refused, TooMany, Unavailable

STATUSES = {
    "NotSignedIn": 401,
    "ForeignOrigin": 403,
    "NotAllowed": 404,
    "NotFound": 404,
    "Conflict": 409,
    "TooLarge": 413,
    "Invalid": 422,
    "SourceDown": 503,
    "Busy": 503,
}


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_each_has_its_status_and_a_title_without_a_word_from_inside(name: str, status: int):
    error: OoError = getattr(errors, name)()

    assert error.status == status
    assert error.detail == error.title == str(error)


def test_a_sentence_is_shown_and_facts_are_not():
    error = errors.Invalid("That does not fit here", code="denied")

    assert str(error) == error.detail == "That does not fit here"
    assert error.facts == {"code": "denied"}


def test_too_often_says_when_to_come_again():
    assert TooMany(retry_after=7).retry_after == 7


def test_one_who_lacks_a_role_is_told_what_everybody_is_told():
    assert errors.NotAllowed().detail == errors.NotFound().detail


def test_refused_and_unavailable_are_told_apart():
    assert not issubclass(Refused, Unavailable)
    assert not issubclass(Unavailable, Refused)
