"""The checks, in the order in which they are made: the only list of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from oo_app.conformance.checks import contents, deliveries, grants, lines
from oo_app.conformance.trial import Trial

Run = Callable[[Trial], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Check:
    """A named check; its meaning is the docstring of what it runs."""

    name: str
    run: Run

    @property
    def meaning(self) -> str:
        """What holds when it passes."""
        return (self.run.__doc__ or "").strip()


CHECKS: tuple[Check, ...] = (
    Check("contract", contents.facts),
    Check("everything", contents.everything),
    Check("nothing", contents.nothing),
    Check("changes", contents.changes),
    Check("paging", contents.paging),
    Check("changes-meanwhile", contents.changes_meanwhile),
    Check("10000", contents.many),
    Check("unicode", contents.unicode),
    Check("completion", contents.completion),
    Check("recurrence", contents.recurrence),
    Check("completing", contents.completing),
    Check("completing-once", contents.completing_once),
    Check("clock-skew", contents.clock_skew),
    Check("lost-cursor", contents.lost_cursor),
    Check("older-answers", lines.older_answers),
    Check("unknown-fields", lines.unknown_fields),
    Check("doubled-rows", lines.doubled_rows),
    Check("any-order", lines.any_order),
    Check("odd-values", lines.odd_values),
    Check("5xx", lines.server_errors),
    Check("time-out", lines.time_outs),
    Check("cut", lines.cut_connections),
    Check("silence", lines.silence),
    Check("torn", lines.torn_answers),
    Check("other-answers", lines.other_answers),
    Check("endless", lines.endless_answers),
    Check("refusals", lines.refusals),
    Check("redirect", lines.redirects),
    Check("429", lines.rate_limit),
    Check("expiry", grants.expiry),
    Check("401-once", grants.refused_once),
    Check("401-for-ever", grants.refused_for_ever),
    Check("refresh-race", grants.refresh_race),
    Check("lost-renewal", grants.lost_renewal),
    Check("failed-renewal", grants.renewal_refused),
    Check("revoked", grants.revoked),
    Check("wrong-address", grants.wrong_address),
    Check("leaving", grants.leaving),
    Check("leaving-in-bad-weather", grants.leaving_in_bad_weather),
    Check("webhook-unproven", deliveries.unproven),
    Check("webhook-hint", deliveries.hint),
    Check("webhook-order", deliveries.any_order),
    Check("webhook-strange", deliveries.strange),
)
