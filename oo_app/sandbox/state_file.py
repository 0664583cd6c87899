"""The sandbox's one file, `sandbox.json`: secrets, signing keys and grants, so that tokens survive a restart.

Everything else the sandbox knows lives in memory.
"""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class StateFile:
    """Named sections of JSON, written atomically with mode 0600; created on first use."""

    def __init__(self, data_dir: Path) -> None:
        """Remember where the file is; nothing is read yet."""
        self._path = data_dir / "sandbox.json"
        self._sections: dict[str, Any] | None = None

    def read(self, section: str) -> Any:
        """Return a section, or None when nothing was written there."""
        if self._sections is None:
            self._sections = self._load_or_create()
        return self._sections.get(section)

    def write(self, section: str, value: Any) -> None:
        """Replace one section, leaving what another process wrote into the others."""
        sections = self._load_or_create()
        sections[section] = value
        temporary = self._write_temporary(sections)
        temporary.replace(self._path)
        self._sections = sections

    def secret(self) -> bytes:
        """Return the key that signs the sandbox's own tokens."""
        return bytes.fromhex(self.read("secret"))

    def _load_or_create(self) -> dict[str, Any]:
        if not self._path.exists():
            self._create()
        return json.loads(self._path.read_text("utf-8"))

    def _create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._write_temporary({"secret": secrets.token_hex(32), "apple_private_key": _new_apple_key()})
        # A link fails when another process was first: then its file is the one that counts.
        with suppress(FileExistsError):
            os.link(temporary, self._path)
        temporary.unlink()

    def _write_temporary(self, sections: dict[str, Any]) -> Path:
        temporary = self._path.with_name(f"{self._path.name}.{secrets.token_hex(6)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(sections, file, indent=1)
        return temporary


def apple_private_key(data_dir: Path) -> str:
    """Return the PEM of the key that signs client secrets for the sandbox's Apple, making it on first use."""
    return StateFile(data_dir).read("apple_private_key")


def _new_apple_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
