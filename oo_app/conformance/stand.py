"""The contract of a stand-in: a server that speaks a source's protocol, and can be told what is in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NoReturn
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp

from oo_app.kit.clock import Clock
from oo_app.sources import Call, Login

# Nobody is asked there: requests are answered within the process. The sandbox answers loopback addresses only.
PORT = 8001
ADDRESS = f"http://127.0.0.1:{PORT}"


class Lacking(Exception):
    """The stand-in has no such verb; the reason is None where it does not say why the source's kind cannot have it."""

    def __init__(self, verb: str, reason: str | None) -> None:
        """Take what was asked for, and why it is not to be had."""
        super().__init__(verb)
        self.verb = verb
        self.reason = reason


class Stand:
    """What `oo_app/conformance/stands/<name>.py` offers as STAND: answers at ADDRESS, and verbs for what happens.

    What is in it is known by its words, each said once. `lacks` names the verbs that the source's kind cannot have,
    each with its reason. `page` is how many rows its answers hold at most, `most` how many things the source takes in.
    """

    source: ClassVar[str]
    page: ClassVar[int] = 100
    most: ClassVar[int | None] = None
    lacks: ClassVar[Mapping[str, str]] = {}

    app: ASGIApp

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Begin with nothing in it, by this clock; what has to be kept on disk goes into the folder."""
        self.clock = clock
        self.folder = folder

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings that lead the source here."""
        return {}

    @property
    def login(self) -> Login:
        """What a person types to let oO in, where the source asks for no consent."""
        return Login(ADDRESS)

    async def agree(self, url: str) -> str:
        """Agree where a browser was sent to for consent; return where it is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return f"{asked['redirect_uri']}?{urlencode({'code': 'agreed', 'state': asked['state']})}"

    async def there(self) -> Sequence[str]:
        """Return the words of all that is open there."""
        self._lack("there")

    async def add(self, words: str, *, repeats: bool = False) -> str:
        """Add something, a daily one where it repeats; return its name for the other verbs.

        Where nothing repeats there, `repeats` is a verb that it lacks: `self._lack("repeats")`.
        """
        self._lack("add")

    async def add_many(self, words: Sequence[str]) -> None:
        """Add much at once."""
        for each in words:
            await self.add(each)

    async def change(self, name: str, words: str) -> None:
        """Give something other words."""
        self._lack("change")

    async def complete(self, name: str) -> None:
        """Complete something; what repeats moves on to its next time instead."""
        self._lack("complete")

    async def remove(self, name: str) -> None:
        """Delete something, without its being done."""
        self._lack("remove")

    async def forget_cursors(self) -> None:
        """Know none of the cursors any more that were given out."""
        self._lack("forget_cursors")

    async def expire(self) -> None:
        """End the access tokens before their time; refreshing works."""
        self._lack("expire")

    async def revoke(self) -> None:
        """Take the grant, or the password, away: nothing opens any more, until the person lets oO in anew."""
        self._lack("revoke")

    async def is_let_in(self) -> bool:
        """Tell whether a grant stands."""
        self._lack("is_let_in")

    async def deliveries(self) -> Sequence[Call]:
        """Return what the source would have sent to the webhook since this was last asked."""
        self._lack("deliveries")

    def _lack(self, verb: str) -> NoReturn:
        raise Lacking(verb, self.lacks.get(verb))
