"""Every door of the application, read from the running one: routes from its router, handlers from Reflex's registry.

`python -m tests.doors.inventory FOLDER [MODULE…]` prints it; the modules, imported first, may plant doors.
"""

import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oo_app.serve import ENVIRONMENT_OF_SERVER
from tests.served import ROOT

WRAPPED = frozenset({"app", "asgi_app", "original_router"})  # where wrappers keep what they wrap, `_`s aside


@dataclass(frozen=True)
class Doors:
    """What a client can address."""

    routes: tuple[str, ...]  # paths as the router knows them, `{name}` and all; a mount ends in `/*`
    handlers: dict[str, list[str]]  # registered event → names of its arguments
    unregistered: tuple[str, ...]  # names of events that would lead to other methods of states, were they addressable
    fields: tuple[str, ...]  # full names of every var of every state, `_`-private ones too
    described: dict[str, Any]  # the OpenAPI description


def inventory(folder: Path, *planted: str) -> Doors:
    """Ask a process of its own, since importing the application sets it up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OO_")}
    environment = kept | ENVIRONMENT_OF_SERVER | {"OO_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "tests.doors.inventory", str(folder), *planted]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    read = json.loads(told.splitlines()[-1])
    return Doors(
        tuple(read["routes"]), read["handlers"], tuple(read["unregistered"]), tuple(read["fields"]), read["described"]
    )


def routes_of(app: object, prefix: str = "", seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Walk an ASGI application: routers have routes, mounts a path, wrappers what they wrap, however they hold it."""
    if id(app) in seen:
        return
    seen |= {id(app)}
    prefix += getattr(getattr(app, "include_context", None), "prefix", "") + getattr(app, "path", "")
    inner = list(getattr(app, "routes", None) or [])
    if not inner and hasattr(app, "endpoint"):
        yield prefix
        return
    if not inner:
        inner = [value for value in _held(app) if callable(value) or hasattr(value, "routes")]
    found = [path for each in inner for path in routes_of(each, prefix, seen)]
    yield from found or ([f"{prefix}/*"] if hasattr(app, "path") else [])


def _held(app: object) -> Iterator[object]:
    for holder in (app, getattr(app, "__self__", None)):
        if type(holder).__module__.startswith(("starlette", "fastapi", "oo_app", "reflex")):
            yield from (value for name, value in vars(holder).items() if name.strip("_") in WRAPPED)
    for cell in getattr(app, "__closure__", None) or ():
        yield cell.cell_contents


def main() -> None:
    """Print everything as one line of JSON."""
    for module in sys.argv[2:]:
        importlib.import_module(module)
    application = importlib.import_module("oo_app.oo_app")
    routes = sorted(set(routes_of(application.serving())))
    registry = application.app._registration_context
    handlers = {
        name: list(inspect.signature(each.handler.fn).parameters)[1:] for name, each in registry.event_handlers.items()
    }
    states = {each.get_full_name(): each for each in registry.base_states.values()}
    others = sorted({f"{name}.{method}" for name, state in states.items() for method in dir(state)} - set(handlers))
    fields = sorted(f"{name}.{field}" for name, state in states.items() for field in {*state.vars, *state.get_fields()})
    api = importlib.import_module("oo_app.web").build().openapi()
    told = {"routes": routes, "handlers": handlers, "unregistered": others, "fields": fields, "described": api}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
