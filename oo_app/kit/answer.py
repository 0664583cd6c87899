"""A whole answer to something we asked over HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oo_app.kit.errors import SourceDown

LONGEST_RETRY_AFTER_S = 86_400.0
MAX_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, read within the limits. `url` is where it came from, where that was an address of a person's."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    def json(self) -> Any:
        """Parse the body; torn or foreign text raises SourceDown."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            msg = "The answer could not be read"
            raise SourceDown(msg, status=self.status) from error

    @property
    def retry_after(self) -> float | None:
        """Seconds the other side wants us to wait, where it said so in seconds."""
        value = self.headers.get("retry-after", "")
        return min(float(value), LONGEST_RETRY_AFTER_S) if value.isdecimal() else None
