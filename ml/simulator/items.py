"""What lies open before people: items arrive, sleep, are put off, completed or dropped, and come again."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.simulator.columns import DAY, FADES_MINUTES, HOUR, LABELS, WEEK_HOURS, Flags, Moments, Seen
from ml.simulator.population import Index, People, Population
from ml.types import Array

SLOTS = 72  # places for a person's items, those that sleep among them
NEVER, ON_DAY, AT_TIME, FLOATING = range(4)  # when something is due: the last at a time wherever one is
_STREAM = 3  # of chance
_END_OF_DAY = DAY - 1 / 60  # as the product has it: one second before midnight
_GOLDEN = 0.6180339887498949  # the multiples of which fill the unit interval evenly


@dataclass(frozen=True, slots=True)
class Supply:
    """The items that p people will have, one after the other, (p, s) each; the same whatever is chosen."""

    priority: Array
    minutes: Array
    is_told: Flags
    labels: Array
    bits: NDArray[np.int64]
    due_kind: Index
    due_days: Array
    deadline_days: Array  # after its due time; infinite when there is none
    period: Array  # days; 0 when it does not come again
    age: Array  # minutes, of an item that is open at the start
    late: Array  # days by which it is due sooner then
    postponed: Array
    luck: Array


def draw_supply(population: Population, people: People, seed: int) -> Supply:
    """Draw everybody's items."""
    rng, stock, shape = np.random.default_rng([seed, _STREAM]), population.stock, (len(people), population.stock.supply)
    count = rng.choice(len(stock.labels), shape, p=stock.labels)
    bits = np.zeros(shape, dtype=np.int64)
    for number in range(1, len(stock.labels)):
        bits |= np.where(count >= number, 1 << rng.integers(len(LABELS), size=shape), 0)
    due_kind = rng.choice(len(stock.dues), shape, p=stock.dues).astype(np.intp)
    is_recurring = rng.random(shape) < stock.recurring * population.heard("recurring")
    has_deadline = (rng.random(shape) < stock.deadlines) & ~is_recurring
    return Supply(
        priority=(1 + rng.choice(len(stock.priorities), shape, p=stock.priorities)).astype(np.float64),
        minutes=rng.choice(np.array(stock.minutes), shape, p=stock.minutes_shares),
        is_told=rng.random(shape) < people.traits.minutes_told[:, None],
        labels=count.astype(np.float64),
        bits=bits,
        due_kind=np.where(is_recurring, ON_DAY, due_kind),
        due_days=stock.due_days * rng.exponential(1.0, shape),
        deadline_days=np.where(has_deadline, stock.deadline_days * rng.exponential(1.0, shape), np.inf),
        period=np.where(is_recurring, rng.choice(np.array(stock.periods, dtype=np.float64), shape), 0.0),
        age=np.floor(stock.age_days * DAY * rng.exponential(1.0, shape)),
        late=stock.late_days * rng.random(shape),
        postponed=(rng.geometric(1.0 - stock.postponed, shape) - 1).astype(np.float64),
        luck=rng.random(shape),
    )


def _numbers(people: int, value: float = 0.0) -> Array:
    return np.full((people, SLOTS), value)


@dataclass(slots=True)
class Items:
    """The items of p people, (p, SLOTS) each; times in minutes since the epoch.

    `due` is in UTC of what is due at a time, else on the person's own clock, as `deadline` is; infinite when never.
    """

    people: People
    population: Population
    supply: Supply
    next: Index = field(init=False)  # (p,) how many each person has had
    is_held: Flags = field(init=False)
    number: Index = field(init=False)  # of the supply
    created: Array = field(init=False)
    due_kind: Index = field(init=False)
    due: Array = field(init=False)
    deadline: Array = field(init=False)
    postponed: Array = field(init=False)
    wakes: Array = field(init=False)  # in UTC
    shown: Array = field(init=False)
    shown_at: Array = field(init=False)
    refused: Array = field(init=False)  # as it was when last refused
    refused_at: Array = field(init=False)
    weary: Array = field(init=False)  # as it was when last shown
    kept_until: Array = field(init=False)  # not completed elsewhere before: that was settled when it was shown

    def __post_init__(self) -> None:
        people = len(self.people)
        self.next = np.zeros(people, dtype=np.intp)
        self.is_held = np.zeros((people, SLOTS), dtype=bool)
        self.number, self.due_kind = (np.zeros((people, SLOTS), dtype=np.intp) for _ in range(2))
        self.created, self.postponed, self.shown, self.refused, self.weary = (_numbers(people) for _ in range(5))
        self.due, self.deadline = (_numbers(people, np.inf) for _ in range(2))
        self.wakes, self.shown_at, self.refused_at, self.kept_until = (_numbers(people, -np.inf) for _ in range(4))

    def is_open(self, people: Index, now: Array) -> Flags:
        """Tell which items of the given people (u,) can be suggested now: (u, SLOTS)."""
        return self.is_held[people] & (self.wakes[people] <= now[:, None])

    def seen(self, people: Index, slots: Index, owner: Index, moments: Moments) -> Seen:
        """Return items (N,) as they are seen; `owner` is their person's row among the moments."""
        at = people, slots
        supplied = people, self.number[at]
        supply, shift = self.supply, HOUR * moments.offset[owner]
        return Seen(
            owner=owner,
            created=self.created[at],
            due=self.due[at] - np.where(self.due_kind[at] == AT_TIME, 0.0, shift),
            has_due_time=self.due_kind[at] >= AT_TIME,
            deadline=self.deadline[at] - shift,
            priority=supply.priority[supplied],
            is_recurring=supply.period[supplied] > 0,
            is_told=supply.is_told[supplied],
            minutes=supply.minutes[supplied],
            postponed=self.postponed[at],
            label_count=supply.labels[supplied],
            bits=supply.bits[supplied],
            shown=self.shown[at],
            shown_at=self.shown_at[at],
            refused=self.faded(people, slots, moments.at[owner]),
        )

    def faded(self, people: Index, slots: Index, now: Array) -> Array:
        """Return what is left of the refusals of items (N,): each is worth exp(-age / 48 h)."""
        at = people, slots
        return self.refused[at] * np.exp(-(now - self.refused_at[at]) / FADES_MINUTES)

    def weariness(self, people: Index, slots: Index, now: Array) -> Array:
        """Return how weary the owners are of items (N,): it fades as each of them recovers."""
        since = now - self.shown_at[people, slots]
        return self.weary[people, slots] * np.exp(-since / (HOUR * self.people.traits.recovery_hours[people]))

    def take_in(self, people: Index, now: Array, offset: Array, arrivals: Array) -> None:
        """Take in what arrives, as far as there is room, and more where little is left; tidy up where there is much."""
        stock = self.population.stock
        is_open = self.is_open(people, now)
        self.is_held[people] &= ~(is_open & (np.cumsum(is_open, axis=1) > stock.most))
        is_first = self.next[people] == 0
        room = np.floor(self.people.traits.most_open[people] * np.where(is_first, stock.at_start, 1.0))
        count = is_open.sum(axis=1)
        wanted = np.minimum(np.where(is_first, stock.most, arrivals), room - count)
        wanted = np.maximum(wanted, stock.fewest - count).clip(0).astype(np.intp)
        self._make_room(people, wanted)
        is_free = ~self.is_held[people]
        place = np.cumsum(is_free, axis=1)
        row, slot = np.nonzero(is_free & (place <= wanted[:, None]))
        number = (self.next[people[row]] + place[row, slot] - 1) % stock.supply
        self._put(people[row], slot, number, _When(now[row], offset[row], is_first[row]))
        self.next[people] += wanted

    def _make_room(self, people: Index, wanted: Index) -> None:
        """Forget what sleeps longest where there is no place left."""
        for row in np.flatnonzero(SLOTS - self.is_held[people].sum(axis=1) < wanted):
            person = people[row]
            longest = np.argsort(np.where(self.is_held[person], self.wakes[person], -np.inf), kind="stable")
            self.is_held[person, longest[-wanted[row] :]] = False

    def _put(self, people: Index, slots: Index, number: Index, when: "_When") -> None:
        at, supplied, supply = (people, slots), (people, number), self.supply
        today = np.floor((when.now + HOUR * when.offset) / DAY)
        days = supply.due_days[supplied] - np.where(when.is_first, supply.late[supplied], 0.0)
        kind = supply.due_kind[supplied]
        on_day = (today + np.floor(days)) * DAY + _END_OF_DAY
        at_time = when.now + np.floor(days * DAY)
        due = np.select(
            [kind == ON_DAY, kind == AT_TIME, kind == FLOATING], [on_day, at_time, at_time + HOUR * when.offset], np.inf
        )
        last_day = today + np.floor(
            np.where(kind == NEVER, 0.0, np.maximum(days, 0.0)) + supply.deadline_days[supplied]
        )
        self.is_held[at], self.number[at], self.due_kind[at], self.due[at] = True, number, kind, due
        self.deadline[at] = last_day * DAY + _END_OF_DAY
        self.created[at] = when.now - np.where(when.is_first, supply.age[supplied], 0.0)
        self.postponed[at] = np.where(when.is_first, supply.postponed[supplied], 0.0)
        self.wakes[at] = self.shown_at[at] = self.refused_at[at] = self.kept_until[at] = -np.inf
        self.shown[at] = self.refused[at] = self.weary[at] = 0.0

    def complete(self, people: Index, slots: Index, now: Array, offset: Array) -> None:
        """Close items (N,); one that comes again sleeps until the day of its next occurrence."""
        at = people, slots
        period = self.supply.period[people, self.number[at]]
        today = np.floor((now + HOUR * offset) / DAY)
        due_day = np.floor(self.due[at] / DAY)
        comes_again = period > 0
        steps = np.maximum(np.floor((today - due_day) / np.maximum(period, 1.0)) + 1.0, 1.0)
        next_day = np.where(comes_again, due_day + steps * period, 0.0)
        self.due[at] = np.where(comes_again, next_day * DAY + _END_OF_DAY, self.due[at])
        self.wakes[at] = np.where(comes_again, next_day * DAY - HOUR * offset, self.wakes[at])
        self.is_held[at] = comes_again

    def overnight(self, people: Index, now: Array, offset: Array) -> Array:
        """Let a night pass for people (u,): items are dropped, put off, completed in their app; count the last (u,)."""
        stock, traits, rows = self.population.stock, self.people.traits, people[:, None]
        local = (now + HOUR * offset)[:, None]
        luck = self.supply.luck[rows, self.number[people]]
        day = np.floor(local / DAY)
        dropped, moved, done = (np.modf(luck + _GOLDEN * (3 * day + thing))[0] for thing in range(3))
        is_held = self.is_held[people]
        is_held &= (local - self.deadline[people] < stock.grace_days * DAY) & (dropped >= stock.dropped)
        self.is_held[people] = is_held
        chance = traits.elsewhere[rows] * self.population.heard("elsewhere")
        is_waiting = self.wakes[people] > now[:, None]
        is_done = is_held & ~is_waiting & (self.kept_until[people] <= now[:, None]) & (done < chance)
        row, slot = np.nonzero(is_done)
        self.complete(people[row], slot, now[row], offset[row])
        self._put_off(people, local, is_held & ~is_done & (moved < traits.postpones[rows]))
        return is_done.sum(axis=1)

    def _put_off(self, people: Index, local: Array, may_be: Flags) -> None:
        """Move what is overdue to one of the next days, at its time of day."""
        due, today = self.due[people], np.floor(local / DAY)
        is_late = may_be & (np.floor(due / DAY) < today) & (self.due_kind[people] != NEVER)
        row, slot = np.nonzero(is_late)
        at = people[row], slot
        ahead = 1.0 + self.number[at] % 3
        self.due[at] = (today[row, 0] + ahead) * DAY + self.due[at] % DAY
        self.postponed[at] += 1.0


@dataclass(frozen=True, slots=True)
class _When:
    """When items (N,) are taken in: in UTC, how far their person is from it, and whether it is the very beginning."""

    now: Array
    offset: Array
    is_first: Flags


def snoozed_until(now: Array, offset: Array, kind: Index) -> Array:
    """Return when items (N,) wake: later today, tomorrow, next Monday at nine, after a day; by PRODUCT section 5."""
    local = now + HOUR * offset
    today = np.floor(local / DAY)
    morning = 9 * HOUR - HOUR * offset
    tomorrow = (today + 1) * DAY + morning
    later = np.where(local % DAY >= 18 * HOUR, tomorrow, now + 4 * HOUR)
    monday = (today - today % 7 + 7) * DAY + morning
    return np.choose(kind, [later, tomorrow, monday, now + DAY, np.full_like(now, np.inf)])


def week_hour(at: Array) -> Index:
    """Return the hour of the week in UTC (N,) into which moments fall."""
    return (np.floor(at / HOUR) % WEEK_HOURS).astype(np.intp)
