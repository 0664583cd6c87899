"""The accounts of the sandbox's calendar, in memory: what is in them, and what changed in which order."""

import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oo_app.kit.clock import Clock
from oo_app.sandbox import persona
from oo_app.sandbox.calendar_errors import not_found
from oo_app.sandbox.calendar_model import Appointment, Moment, Occurrence, Span, appointment_of, later, length
from oo_app.sandbox.calendar_persona import ENTRIES

HOME = "@sandbox.test"
NAME = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,253}")
PAST, FUTURE = timedelta(days=60), timedelta(days=400)


class Account:
    """One person's primary calendar. Every change gets the next number, so that a sync can ask what came after."""

    def __init__(self, name: str, clock: Clock) -> None:
        """Start from the persona as it looks now; an account whose name starts with "new" is empty."""
        self._clock = clock
        self.name = name
        self.email = name if "@" in name else f"{name}{HOME}"
        self.zone = persona.ZONE
        self.is_free_busy_only = False
        self.life = secrets.token_hex(4)
        self.sequence = 0
        entries = () if name.startswith("new") else ENTRIES
        made = [appointment_of(entry, name, self.zone, clock.now()) for entry in entries]
        self._appointments = {each.id: each for each in made}
        self._changed: dict[tuple[str, Moment], int] = {}

    def appointments(self) -> list[Appointment]:
        """Return every entry, cancelled ones too."""
        return list(self._appointments.values())

    def occurrences(self, after: datetime | None = None, before: datetime | None = None) -> list[Occurrence]:
        """Return what lies in a window, cancelled ones too, the earliest first."""
        now = self._clock.now()
        window = (after or now - PAST, before or now + FUTURE)
        found = [each for one in self._appointments.values() for each in one.occurrences(*window)]
        return sorted(found, key=lambda each: (_order(each), each.id))

    def changed_since(self, sequence: int) -> list[Occurrence]:
        """Return every occurrence that changed after a number, wherever it lies now."""
        changed = [key for key, number in self._changed.items() if number > sequence]
        return [self._appointments[name].occurrence(start) for name, start in changed]

    def find(self, occurrence_id: str) -> Occurrence:
        """Return an occurrence that was not called off."""
        for each in self.occurrences():
            if each.id == occurrence_id and each.span is not None:
                return each
        raise not_found()

    def add(self, summary: str, span: Span, *, is_free: bool = False) -> Appointment:
        """Make an entry."""
        now = self._clock.now()
        made = Appointment(
            id=secrets.token_hex(13),
            summary=summary,
            span=span,
            zone=self.zone,
            created_at=now,
            updated_at=now,
            is_free=is_free,
        )
        self._keep(made, made.span.start)
        return made

    def move(self, occurrence_id: str, by: timedelta) -> None:
        """Put one occurrence elsewhere; the others stay."""
        found = self.find(occurrence_id)
        assert found.span is not None  # noqa: S101 -- `find` returns no other
        start = later(found.span.start, by)
        self._lay(found, Span(start, later(start, length(found.span))))

    def cancel(self, occurrence_id: str) -> None:
        """Call one occurrence off."""
        self._lay(self.find(occurrence_id), None)

    def cancel_series(self, occurrence_id: str) -> None:
        """Call an entry off with all its occurrences."""
        gone = replace(self.find(occurrence_id).of, is_cancelled=True, updated_at=self._clock.now())
        now = self._clock.now()
        starts = [each.original for each in gone.occurrences(now - PAST, now + FUTURE)]
        self._keep(gone, *starts)

    def _lay(self, found: Occurrence, span: Span | None) -> None:
        changed = replace(found.of, moved={**found.of.moved, found.original: span}, updated_at=self._clock.now())
        self._keep(changed, found.original)

    def _keep(self, changed: Appointment, *starts: Moment) -> None:
        self.sequence += 1
        self._appointments[changed.id] = changed
        self._changed |= dict.fromkeys(((changed.id, start) for start in starts), self.sequence)


class Store:
    """All accounts, each made when first asked for."""

    def __init__(self, clock: Clock) -> None:
        """Start with nobody."""
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def account(self, name: str) -> Account:
        """Return an account, by its address or the part of it before the sandbox's own domain."""
        short = name.lower().removesuffix(HOME)
        if not NAME.fullmatch(short):
            raise not_found()
        if short not in self._accounts:
            self._accounts[short] = Account(short, self._clock)
        return self._accounts[short]

    def reset(self) -> None:
        """Forget everything; sync tokens of before are no longer known."""
        self._accounts.clear()


def _order(each: Occurrence) -> str:
    start = each.span.start if each.span else each.original
    return start.astimezone(UTC).isoformat() if isinstance(start, datetime) else start.isoformat()
