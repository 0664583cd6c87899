"""Structured logs: one line of key=value (development) or JSON (production) on standard error, ids only."""

import logging
import sys
from typing import Any

import structlog

# They log whole events with the cookies of the socket they came by.
OUTSPOKEN = ("reflex", "reflex_base", "socketio", "engineio")


def configure(*, as_json: bool) -> None:
    """Set up structlog, and quieten the libraries that would print addresses with tokens in them."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up at every line: a stream kept from the start may be closed by then, and telling would then fail.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in ("httpx", "httpcore", "apscheduler", "alembic", "aiosqlite", "uvicorn.access", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in OUTSPOKEN:
        logging.getLogger(name).handlers = [_Reticent()]
        logging.getLogger(name).propagate = False


class _Reticent(logging.Handler):
    """Tells that a library complained and where, never what about: its text may quote cookies and people's words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the place, and the kind of exception."""
        if record.levelno >= logging.WARNING:
            cause = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
            get(record.name).warning("library.complained", line=record.lineno, cause=cause)


def get(name: str) -> "structlog.stdlib.BoundLogger":
    """Return the logger of a module."""
    return structlog.get_logger(module=name)
