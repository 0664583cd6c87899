"""The environment that libraries read."""

import os

import pytest

from oo_app.kit.process import put_first_on_path, set_environment


def test_variables_are_set_for_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OO_TEST_OLD", "1")

    set_environment({"OO_TEST_OLD": "2"})

    assert os.environ["OO_TEST_OLD"] == "2"


@pytest.mark.parametrize(("before", "after"), [("/usr/bin:/bin", "/here:/usr/bin:/bin"), ("", "/here:")])
def test_a_folder_comes_first_on_the_path(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, tmp_path_factory: pytest.TempPathFactory
):
    monkeypatch.setenv("PATH", before)

    put_first_on_path(tmp_path_factory.getbasetemp() / "/here")

    assert os.environ["PATH"] == after
