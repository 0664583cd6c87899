"""Structured logs: one line of key=value (development) or JSON (production) on standard error, ids only."""

import logging
import sys
from typing import Any

import structlog


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in ("httpx", "httpcore", "apscheduler", "alembic", "aiosqlite", "uvicorn.access", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)


def get(name: str) -> "structlog.stdlib.BoundLogger":
    """Return the logger of a module."""
    return structlog.get_logger(module=name)
