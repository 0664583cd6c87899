"""The features of a moment: the time, the day's meetings, habits, what oO has said lately, and how fresh it all is."""

from oo_app.features.feature import Feature, Origin, Privacy
from oo_app.features.known import MINUTE, Moment
from oo_app.features.profile import HOURS, WEEK_HOURS

DAY_MINUTES = 1440.0
HORIZON_MINUTES = 480.0
MOST_USUAL = 20.0


def _hour_of_day(moment: Moment) -> float:
    return moment.local.hour + moment.local.minute / 60


def _day_of_week(moment: Moment) -> float:
    return float(moment.local.weekday())


def _open_items(moment: Moment) -> float:
    return float(moment.open_items)


def _has_calendar(moment: Moment) -> float:
    return float(moment.agenda is not None)


def _free_minutes(moment: Moment) -> float | None:
    return None if moment.agenda is None else moment.agenda.free_minutes


def _busy_minutes(moment: Moment) -> float | None:
    return None if moment.agenda is None else moment.agenda.busy_minutes


def _meetings_today(moment: Moment) -> float | None:
    return None if moment.agenda is None else moment.agenda.meetings


def _meetings_left_today(moment: Moment) -> float | None:
    return None if moment.agenda is None else moment.agenda.meetings_left


def _done_this_hour(moment: Moment) -> float | None:
    """Compare this hour's share of what was completed with an even day's; one completion is added to every hour."""
    habits = moment.habits
    return None if habits is None else (habits.at_hour(moment.local) + 1) * HOURS / (habits.total + HOURS)


def _done_this_hour_and_weekday(moment: Moment) -> float | None:
    """Compare the share of this hour of this weekday with an even week's, in the same way."""
    habits = moment.habits
    return None if habits is None else (habits.at(moment.local) + 1) * WEEK_HOURS / (habits.total + WEEK_HOURS)


def _completions(moment: Moment) -> float | None:
    return None if moment.habits is None else moment.habits.total


def _tips_today(moment: Moment) -> float:
    return float(moment.dose.tips_today)


def _minutes_since_tip(moment: Moment) -> float:
    return DAY_MINUTES if moment.dose.last_at is None else (moment.now - moment.dose.last_at) / MINUTE


def _refusals_in_a_row(moment: Moment) -> float:
    return float(moment.dose.refusals)


def _stalest_source_minutes(moment: Moment) -> float | None:
    times = [read_at for read_at in moment.read_at.values() if read_at is not None]
    is_known = times and len(times) == len(moment.read_at)
    return (moment.now - min(times)) / MINUTE if is_known else None


CONTEXT_FEATURES: tuple[Feature[Moment], ...] = (
    Feature(
        "hour_of_day",
        "The person's hour, with its fraction",
        Origin.TIME,
        Privacy.NOTHING,
        _hour_of_day,
        low=0,
        high=24,
        unit="hours",
    ),
    Feature(
        "day_of_week",
        "The person's weekday, from Monday (0) to Sunday (6)",
        Origin.TIME,
        Privacy.NOTHING,
        _day_of_week,
        low=0,
        high=6,
        unit="days",
    ),
    Feature(
        "open_items",
        "How many items could be suggested",
        Origin.TASK,
        Privacy.TASK,
        _open_items,
        low=0,
        high=100_000,
        type="count",
    ),
    Feature(
        "has_calendar",
        "1 when a calendar is connected and was read",
        Origin.READINGS,
        Privacy.NOTHING,
        _has_calendar,
        low=0,
        high=1,
        type="flag",
    ),
    Feature(
        "free_minutes",
        "Time until the next meeting, 0 during one",
        Origin.CALENDAR,
        Privacy.SCHEDULE,
        _free_minutes,
        low=0,
        high=HORIZON_MINUTES,
        unit="minutes",
        default=HORIZON_MINUTES,
    ),
    Feature(
        "busy_minutes",
        "Time until the meetings under way are over, 0 when there is none",
        Origin.CALENDAR,
        Privacy.SCHEDULE,
        _busy_minutes,
        low=0,
        high=HORIZON_MINUTES,
        unit="minutes",
    ),
    Feature(
        "meetings_today",
        "How many meetings the person's day has",
        Origin.CALENDAR,
        Privacy.SCHEDULE,
        _meetings_today,
        low=0,
        high=20,
        type="count",
    ),
    Feature(
        "meetings_left_today",
        "How many of them are still to begin",
        Origin.CALENDAR,
        Privacy.SCHEDULE,
        _meetings_left_today,
        low=0,
        high=20,
        type="count",
    ),
    Feature(
        "done_this_hour",
        "Completions at this hour of the day over three months, as a multiple of an even share",
        Origin.COMPLETIONS,
        Privacy.BEHAVIOUR,
        _done_this_hour,
        low=0,
        high=MOST_USUAL,
        default=1,
    ),
    Feature(
        "done_this_hour_and_weekday",
        "Completions at this hour of this weekday over three months, as a multiple of an even share",
        Origin.COMPLETIONS,
        Privacy.BEHAVIOUR,
        _done_this_hour_and_weekday,
        low=0,
        high=MOST_USUAL,
        default=1,
    ),
    Feature(
        "completions",
        "How much was completed in three months",
        Origin.COMPLETIONS,
        Privacy.BEHAVIOUR,
        _completions,
        low=0,
        high=1000,
        type="count",
    ),
    Feature(
        "tips_today",
        "How many tips were shown in the person's day so far",
        Origin.DOSE,
        Privacy.BEHAVIOUR,
        _tips_today,
        low=0,
        high=30,
        type="count",
    ),
    Feature(
        "minutes_since_tip",
        "Time since the last tip was shown",
        Origin.DOSE,
        Privacy.BEHAVIOUR,
        _minutes_since_tip,
        low=0,
        high=DAY_MINUTES,
        unit="minutes",
    ),
    Feature(
        "refusals_in_a_row",
        "How many answers in a row were a snooze or a dismiss",
        Origin.DOSE,
        Privacy.BEHAVIOUR,
        _refusals_in_a_row,
        low=0,
        high=10,
        type="count",
    ),
    Feature(
        "stalest_source_minutes",
        "Time since the source was read that was not read for longest",
        Origin.READINGS,
        Privacy.NOTHING,
        _stalest_source_minutes,
        low=0,
        high=DAY_MINUTES,
        unit="minutes",
        default=DAY_MINUTES,
    ),
)
