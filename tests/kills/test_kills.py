"""The server is killed under load and loses nothing; `python -m bench kills` does it three hundred times."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.kills import Figures, Somebody, compare, lived

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

KILLS, SEED, PEOPLE = 8, 3, 4


def compared(folder: Path, crowd: list[Somebody]) -> Figures:
    """Compare anew."""
    found = Figures()
    compare(folder, crowd, found)
    return found


def tamper(folder: Path, statement: str) -> None:
    """Change the database behind everybody's back."""
    with closing(sqlite3.connect(folder / "oo.db")) as database, database:
        database.execute(statement)


async def test_nothing_is_lost_doubled_or_stuck_when_the_server_is_killed(tmp_path: Path):
    async with lived(tmp_path, KILLS, seed=SEED, people=PEOPLE) as (crowd, found):
        await asyncio.to_thread(compare, tmp_path, crowd, found)

        assert found.faults == []
        assert (found.kills, found.complaints) == (KILLS, {})
        assert found.reactions > KILLS

        # What would be wrong would be seen.
        tamper(tmp_path, "UPDATE reaction SET reward = reward + 1 WHERE id IN (SELECT id FROM reaction LIMIT 1)")
        assert len(compared(tmp_path, crowd).otherwise) == 1
        crowd[0].account.close(crowd[0].account.add("One that nobody knows of"))
        assert len(compared(tmp_path, crowd).closed_wrongly) == 1
        tamper(tmp_path, "DELETE FROM reaction")
        assert len(compared(tmp_path, crowd).lost) == found.reactions
        tamper(tmp_path, "DELETE FROM impression")
        assert len(compared(tmp_path, crowd).lost) > found.reactions
