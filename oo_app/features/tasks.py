"""The features of a candidate: what its source tells of it, and whether it fits the moment."""

from datetime import timedelta

from oo_app.features.feature import Feature, Origin, Privacy
from oo_app.features.known import MINUTE, Candidate
from oo_app.signals import LABEL_BITS

FAR_DAYS = 30.0
DAY = timedelta(days=1)
DAY_MINUTES = 1440.0
USUAL_MINUTES = 30.0


def _is_overdue(known: Candidate) -> float:
    return float(known.due is not None and known.due < known.moment.now)


def _has_due(known: Candidate) -> float:
    return float(known.due is not None)


def _days_until_due(known: Candidate) -> float:
    return FAR_DAYS if known.due is None else (known.due - known.moment.now) / DAY


def _task_age_days(known: Candidate) -> float:
    return (known.moment.now - known.item.created_at) / DAY


def _priority(known: Candidate) -> float:
    return float(known.item.priority)


def _is_recurring(known: Candidate) -> float:
    return float(known.item.is_recurring)


def _has_due_time(known: Candidate) -> float:
    return float(known.item.due_at is not None or known.item.due_floating is not None)


def _days_until_deadline(known: Candidate) -> float:
    return FAR_DAYS if known.deadline is None else (known.deadline - known.moment.now) / DAY


def _has_minutes(known: Candidate) -> float:
    return float(known.item.minutes is not None)


def _estimated_minutes(known: Candidate) -> float | None:
    return known.item.minutes


def _times_postponed(known: Candidate) -> float:
    return float(known.item.postponed)


def _label_count(known: Candidate) -> float:
    return float(known.item.label_count)


def _fits_gap(known: Candidate) -> float | None:
    agenda, minutes = known.moment.agenda, known.item.minutes
    return None if agenda is None or minutes is None else float(minutes <= agenda.free_minutes)


def _minutes_since_read(known: Candidate) -> float | None:
    read_at = known.moment.read_at.get(known.item.source)
    return None if read_at is None else (known.moment.now - read_at) / MINUTE


def _label_bit(number: int) -> Feature[Candidate]:
    return Feature(
        f"label_bit_{number}",
        f"1 when one of its labels falls into group {number} of eight",
        Origin.TASK,
        Privacy.WORDS,
        lambda known: float(known.item.label_bits >> number & 1),
        low=0,
        high=1,
        type="flag",
    )


CANDIDATE_FEATURES: tuple[Feature[Candidate], ...] = (
    Feature(
        "is_overdue",
        "1 when the due time has passed",
        Origin.TASK,
        Privacy.TASK,
        _is_overdue,
        low=0,
        high=1,
        type="flag",
    ),
    Feature(
        "has_due",
        "1 when there is a due date, a due time or a deadline",
        Origin.TASK,
        Privacy.TASK,
        _has_due,
        low=0,
        high=1,
        type="flag",
    ),
    Feature(
        "days_until_due",
        "Time until it is due, negative when late; thirty days when it never is",
        Origin.TASK,
        Privacy.TASK,
        _days_until_due,
        low=-FAR_DAYS,
        high=FAR_DAYS,
        unit="days",
    ),
    Feature(
        "task_age_days",
        "Time since it was made",
        Origin.TASK,
        Privacy.TASK,
        _task_age_days,
        low=0,
        high=365,
        unit="days",
    ),
    Feature(
        "priority",
        "From 1 (normal) to 4 (urgent), as its source says",
        Origin.TASK,
        Privacy.TASK,
        _priority,
        low=1,
        high=4,
        default=1,
    ),
    Feature(
        "is_recurring", "1 when it comes again", Origin.TASK, Privacy.TASK, _is_recurring, low=0, high=1, type="flag"
    ),
    Feature(
        "has_due_time",
        "1 when it is due at a time of day, not on a day",
        Origin.TASK,
        Privacy.TASK,
        _has_due_time,
        low=0,
        high=1,
        type="flag",
    ),
    Feature(
        "days_until_deadline",
        "Time until the day after which it is no use; thirty days when there is none",
        Origin.TASK,
        Privacy.TASK,
        _days_until_deadline,
        low=-FAR_DAYS,
        high=FAR_DAYS,
        unit="days",
    ),
    Feature(
        "has_minutes",
        "1 when its source says how long it takes",
        Origin.TASK,
        Privacy.TASK,
        _has_minutes,
        low=0,
        high=1,
        type="flag",
    ),
    Feature(
        "estimated_minutes",
        "How long it takes, as its source says",
        Origin.TASK,
        Privacy.TASK,
        _estimated_minutes,
        low=0,
        high=480,
        unit="minutes",
        default=USUAL_MINUTES,
    ),
    Feature(
        "fits_gap",
        "1 when it can be done before the next meeting",
        Origin.CALENDAR,
        Privacy.SCHEDULE,
        _fits_gap,
        low=0,
        high=1,
        type="flag",
        default=1,
    ),
    Feature(
        "times_postponed",
        "How often its due time was moved on without its being done",
        Origin.TASK,
        Privacy.BEHAVIOUR,
        _times_postponed,
        low=0,
        high=20,
        type="count",
    ),
    Feature(
        "label_count",
        "How many labels it carries",
        Origin.TASK,
        Privacy.TASK,
        _label_count,
        low=0,
        high=20,
        type="count",
    ),
    *(_label_bit(number) for number in range(LABEL_BITS)),
    Feature(
        "minutes_since_read",
        "Time since its source was read",
        Origin.READINGS,
        Privacy.NOTHING,
        _minutes_since_read,
        low=0,
        high=DAY_MINUTES,
        unit="minutes",
        default=DAY_MINUTES,
    ),
)
