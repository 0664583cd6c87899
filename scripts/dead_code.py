"""Names functions, methods and classes that nobody uses; ruff already finds unused imports, variables and arguments."""

import sys
from pathlib import Path

from vulture import Vulture

FOLDERS = ("oo_app", "ml", "state", "pages", "scripts")
KINDS = {"function", "method", "class", "property", "unreachable_code"}
# Called by a library that knows them by their decorator.
DECORATORS = (
    "@rx.event*",
    "@rx.var*",
    "@router.*",
    "@app.*",
    "@*.command*",
    "@*.group*",
    "@field_validator*",
    "@model_validator*",
    "@field_serializer*",
)
# Called by a library that knows them by their name.
NAMES = (
    "process_bind_param",
    "process_result_value",
    "load_dialect_impl",
    "handle_async_request",
    "dispatch",
    "preprocess",
    "serving",
    "_execute",
    "handle_starttag",
    "handle_data",
    "handle_endtag",
)

# Made for the tests, beside what it stands in for.
FOR_TESTS = ("FakeClock",)


def main() -> int:
    """Print what is unused and answer 1 when there is any."""
    vulture = Vulture(ignore_names=[*NAMES, *FOR_TESTS], ignore_decorators=list(DECORATORS))
    vulture.scavenge([Path(folder) for folder in FOLDERS])
    dead = [item for item in vulture.get_unused_code(min_confidence=60) if item.typ in KINDS]
    for item in dead:
        where = f"{item.filename.relative_to(Path.cwd())}:{item.first_lineno}"
        print(f"{where}: unused {item.typ.replace('_', ' ')} {item.name}")
    return min(len(dead), 1)


if __name__ == "__main__":
    sys.exit(main())
