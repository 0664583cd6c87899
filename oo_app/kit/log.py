"""Structured logs: one line of key=value (development) or JSON (production) on standard error, ids only."""

import logging
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

# They log whole events with the cookies of the socket they came by.
OUTSPOKEN = ("reflex", "reflex_base", "socketio", "engineio")
# uvicorn says so of every websocket that was refused with an answer, which is the proper way to refuse one.
FALSE_ALARMS = frozenset({"ASGI callable returned without completing handshake."})


def configure(*, as_json: bool) -> None:
    """Set up structlog, and quieten the libraries that would print addresses with tokens in them."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_places,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up at every line: a stream kept from the start may be closed by then, and telling would then fail.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in ("httpx", "httpcore", "apscheduler", "alembic", "aiosqlite", "uvicorn.access", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Any library that nobody thought of counts as outspoken too.
    logging.basicConfig(handlers=[_Reticent()], level=logging.WARNING, force=True)
    for handler, names in ((_Reticent(), OUTSPOKEN), (_Placed(), ("uvicorn",))):
        for name in names:
            logging.getLogger(name).handlers = [handler]
            logging.getLogger(name).propagate = False


def _only_places(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Tell of an exception what kind it is and where it rose, never its message: that may quote people's words."""
    told = event.pop("exc_info", None)
    error = told if isinstance(told, BaseException) else sys.exc_info()[1] if told else None
    parts: list[str] = []
    while error is not None:
        parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if parts:
        event["exception"] = "\nbecause of\n".join(parts)
    return event


class _Reticent(logging.Handler):
    """Tells that a library complained and where, never what about: its text may quote cookies and people's words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the place, and the kind of exception."""
        if record.levelno >= logging.WARNING:
            cause = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
            get(record.name).warning("library.complained", line=record.lineno, cause=cause)


class _Placed(logging.Handler):
    """Passes on what a library says for itself, and of an exception only its places."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the words and the places."""
        if record.getMessage() in FALSE_ALARMS:
            return
        told = record.exc_info[1] if record.exc_info else None
        get(record.name).log(record.levelno, record.getMessage().strip(), exc_info=told)


def get(name: str) -> "structlog.stdlib.BoundLogger":
    """Return the logger of a module."""
    return structlog.get_logger(module=name)


@contextmanager
def collected() -> Generator[Sequence[object]]:
    """Keep the lines of the log instead of writing them, until the block ends."""
    with capture_logs() as lines:
        yield lines
