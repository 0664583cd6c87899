"""Settings: every variable of the contract, gathered, checked and explained in one place."""

import os
import secrets
from contextlib import suppress
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from oo_app.kit.addresses import Private

GOOGLE_ISSUER = "https://accounts.google.com"
APPLE_ISSUER = "https://appleid.apple.com"
GOOGLE_CALENDAR_API_URL = "https://www.googleapis.com/calendar/v3"
TODOIST_API_URL = "https://api.todoist.com/api/v1"
TODOIST_AUTH_URL = "https://app.todoist.com/oauth/authorize"
TODOIST_TOKEN_URL = "https://api.todoist.com/oauth/access_token"  # noqa: S105 -- an address, not a secret
LEAST_SECRET_LENGTH = 32
DEFAULT_PORTS = {"http": 80, "https": 443}
ADDRESSES = (
    "google_issuer",
    "google_calendar_api_url",
    "apple_issuer",
    "todoist_api_url",
    "todoist_auth_url",
    "todoist_token_url",
)
# Named in the contract and read by parts that are not built yet: accepted, so that one .env serves every version.
RESERVED = ("OO_REMOTE_AI_HOSTS",)


class SettingsError(Exception):
    """The environment does not allow a start; one line a problem."""


class Settings(BaseSettings):
    """The variables of PRODUCT section 8. Made by `Settings.load()`; frozen afterwards."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    port: int = Field(default=8000, ge=1, le=65535, description="the port to listen on")
    host: str = Field(default="127.0.0.1", description="the address to listen on")
    oo_env: Literal["development", "production"] = Field(default="development", description="how strict to be")
    oo_base_url: str = Field(default="", description="the address people type, without a path")
    oo_data_dir: Path = Field(default=Path("data"), description="where everything written at run time lands")
    database_url: str = Field(
        default="", description="SQLAlchemy address of the database; SQLite in the data folder by default"
    )
    oo_keys_url: str = Field(default="", description="address of the store of people's keys; never part of a backup")
    nats_url: SecretStr = Field(
        default=SecretStr(""), description="where events are mirrored to (NATS JetStream); comma-separated for several"
    )
    oo_secret_keys: SecretStr = Field(default=SecretStr(""), description="comma-separated; the first signs, all verify")
    oo_encryption_keys: SecretStr = Field(
        default=SecretStr(""), description="comma-separated; the first seals people's keys, all open"
    )
    oo_sandbox: bool | None = Field(
        default=None, description="serve the sandbox; on in development on this machine only"
    )
    oo_trusted_proxy_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="how many of our own proxies stand before oO, each adding to X-Forwarded-For",
    )
    oo_metrics_token: SecretStr = Field(default=SecretStr(""), description="the bearer token that may read /metrics")
    oo_rate_factor: float = Field(
        default=1,
        ge=1,
        le=1_000_000,
        allow_inf_nan=False,
        description="multiplies every limit, for load tests; refused in production",
    )
    oo_allow_private_hosts: str = Field(
        default="",
        description="hosts, hosts with a port, or networks that people may connect although they are not public, "
        "comma-separated; 1 for all",
    )
    admin_seed_email: str = Field(default="", description="a verified Google or Apple address that becomes an admin")

    google_client_id: str = Field(default="", description="OAuth client of Google sign-in and Google Calendar")
    google_client_secret: SecretStr = Field(default=SecretStr(""), description="its secret")
    google_issuer: str = Field(default=GOOGLE_ISSUER, description="OpenID issuer standing for Google")
    google_calendar_api_url: str = Field(default=GOOGLE_CALENDAR_API_URL, description="base of the Google Calendar API")
    apple_client_id: str = Field(default="", description="the Services ID of Sign in with Apple")
    apple_team_id: str = Field(default="", description="the team the key belongs to")
    apple_key_id: str = Field(default="", description="the key's id")
    apple_private_key: SecretStr = Field(default=SecretStr(""), description="the .p8 key's text (\\n allowed)")
    apple_issuer: str = Field(default=APPLE_ISSUER, description="OpenID issuer standing for Apple")
    todoist_client_id: str = Field(default="", description="OAuth client of the Todoist app")
    todoist_client_secret: SecretStr = Field(default=SecretStr(""), description="its secret")
    todoist_api_url: str = Field(default=TODOIST_API_URL, description="base of the Todoist API")
    todoist_auth_url: str = Field(default=TODOIST_AUTH_URL, description="Todoist's consent page")
    todoist_token_url: str = Field(default=TODOIST_TOKEN_URL, description="Todoist's token address")
    todoist_sync_interval_ms: int = Field(
        default=600_000, ge=1_000, le=86_400_000, description="how often tasks are read without being asked"
    )

    @field_validator("apple_private_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().replace("\\n", "\n")
        try:
            key = load_pem_private_key(text.encode(), password=None) if text else None
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            msg = "must be the text of the .p8 file"
            raise ValueError(msg) from error
        if key is not None and not isinstance(key, EllipticCurvePrivateKey):
            msg = "must be the text of the .p8 file, which holds an elliptic-curve key"
            raise ValueError(msg)
        return value

    @field_validator("oo_allow_private_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        Private.read(value)
        return value

    @field_validator(*ADDRESSES)
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "must be an address like https://service.example"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("nats_url")
    @classmethod
    def _is_nats(cls, value: SecretStr) -> SecretStr:
        try:
            servers = [(parts, parts.port) for parts in map(urlsplit, _split(value))]
        except ValueError as error:
            msg = "must be an address like nats://127.0.0.1:4222"
            raise ValueError(msg) from error
        for parts, _ in servers:
            if parts.scheme not in {"nats", "tls"} or not parts.hostname or parts.path.strip("/") or parts.query:
                msg = "must be an address like nats://127.0.0.1:4222, or tls://…"
                raise ValueError(msg)
        return value

    @field_validator("oo_base_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        rest = (parts.path.strip("/"), parts.query, parts.fragment, parts.username)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or any(rest):
            msg = "must be like https://oo.example, without a path"
            raise ValueError(msg)
        # Written as browsers send it in Origin: lower case, no default port.
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        is_told = parts.port is not None and parts.port != DEFAULT_PORTS[parts.scheme]
        return f"{parts.scheme}://{host}:{parts.port}" if is_told else f"{parts.scheme}://{host}"

    @field_validator("database_url", "oo_keys_url")
    @classmethod
    def _is_sqlite(cls, value: str) -> str:
        if value and not value.startswith("sqlite+aiosqlite://"):
            msg = "only SQLite addresses (sqlite+aiosqlite:///…) are served by this version"
            raise ValueError(msg)
        return value

    @classmethod
    def load(cls, **overrides: object) -> "Settings":
        """Read environment and `.env`, make development's secrets, raise SettingsError naming every problem."""
        problems = _unknown_names()
        try:
            settings = cls(**overrides)  # pyright: ignore[reportArgumentType] -- values are validated by pydantic
        except ValidationError as error:
            lines = [f"{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
            raise SettingsError("\n".join([*problems, *lines])) from error
        problems += settings._refusals()
        if problems:
            raise SettingsError("\n".join(problems))
        return settings if settings.is_production else settings._with_development_secrets()

    @property
    def is_production(self) -> bool:
        """Whether the strict rules hold."""
        return self.oo_env == "production"

    @property
    def base_url(self) -> str:
        """The origin people and their browsers see."""
        return self.oo_base_url or f"http://localhost:{self.port}"

    @property
    def is_https(self) -> bool:
        """Whether cookies may be marked Secure."""
        return self.base_url.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie."""
        return "__Host-oo_session" if self.is_https else "oo_session"

    @property
    def person_cookie(self) -> str:
        """The name of the cookie that tells the page's scripts whose browser it is."""
        return "__Host-oo_person" if self.is_https else "oo_person"

    @property
    def zone_cookie(self) -> str:
        """The name of the cookie in which the page's scripts tell the browser's time zone."""
        return "__Host-oo_zone" if self.is_https else "oo_zone"

    @property
    def flow_cookie(self) -> str:
        """The name of the cookie that binds an OAuth round trip to its browser."""
        return "__Host-oo_flow" if self.is_https else "oo_flow"

    @property
    def db_url(self) -> str:
        """SQLAlchemy address of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.oo_data_dir / 'oo.db'}"

    @property
    def keys_url(self) -> str:
        """SQLAlchemy address of the key store."""
        return self.oo_keys_url or f"sqlite+aiosqlite:///{self.oo_data_dir / 'keys.db'}"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Keys for signing and look-up hashes, the active one first."""
        return _split(self.oo_secret_keys)

    @property
    def encryption_keys(self) -> tuple[str, ...]:
        """Keys that wrap people's keys, the active one first."""
        return _split(self.oo_encryption_keys)

    @property
    def private_hosts(self) -> Private:
        """What people may connect although it is not public."""
        return Private.read(self.oo_allow_private_hosts)

    @property
    def has_sandbox(self) -> bool:
        """Whether the stand-ins are served."""
        return (not self.is_production and self.is_local) if self.oo_sandbox is None else self.oo_sandbox

    @property
    def sandbox_url(self) -> str:
        """The sandbox's origin: the other name of this machine, so that its redirects are truly cross-site."""
        return f"http://127.0.0.1:{self.port}"

    def is_stand_in(self, url: str) -> bool:
        """Whether an address is one of the sandbox's."""
        return self.has_sandbox and url.startswith(f"{self.sandbox_url}/sandbox/")

    def with_stand_ins(self, apple_private_key: str) -> "Settings":
        """Point every provider that has no credentials at the sandbox, which is then met like the real one."""
        base = f"{self.sandbox_url}/sandbox"
        google = {
            "google_client_id": "oo-sandbox-google",
            "google_client_secret": SecretStr("oo-sandbox-google-secret"),
            "google_issuer": f"{base}/google",
            "google_calendar_api_url": f"{base}/calendar/v3",
        }
        apple = {
            "apple_client_id": "oo-sandbox-apple",
            "apple_team_id": "SANDBOXTEAM",
            "apple_key_id": "SANDBOXKEY",
            "apple_private_key": SecretStr(apple_private_key),
            "apple_issuer": f"{base}/apple",
        }
        todoist = {
            "todoist_client_id": "oo-sandbox-todoist",
            "todoist_client_secret": SecretStr("oo-sandbox-todoist-secret"),
            "todoist_api_url": f"{base}/todoist/api/v1",
            "todoist_auth_url": f"{base}/todoist/oauth/authorize",
            "todoist_token_url": f"{base}/todoist/oauth/access_token",
        }
        update: dict[str, object] = {}
        for is_real, stand_in in (
            (self.google_client_id, google),
            (self.apple_client_id, apple),
            (self.todoist_client_id, todoist),
        ):
            if not is_real:
                update |= stand_in
        return self.model_copy(update=update)

    @cached_property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host) and is_loopback(urlsplit(self.base_url).hostname or "")

    def _refusals(self) -> list[str]:
        problems: list[str] = []
        for name, keys in (("OO_SECRET_KEYS", self.secret_keys), ("OO_ENCRYPTION_KEYS", self.encryption_keys)):
            if self.is_production and not keys:
                problems.append(f"{name}: production needs it set (at least {LEAST_SECRET_LENGTH} characters each)")
            if any(len(key) < LEAST_SECRET_LENGTH for key in keys):
                problems.append(f"{name}: each key needs at least {LEAST_SECRET_LENGTH} characters")
        if self.is_production and not self.oo_base_url:
            problems.append("OO_BASE_URL: production needs it set")
        if self.is_production and self.oo_base_url and not (self.is_https or self.is_local):
            problems.append("OO_BASE_URL: production needs https")
        if self.is_production:
            problems += self._open_ways()
        if self.oo_sandbox and (self.is_production or not self.is_local):
            problems.append(
                "OO_SANDBOX: the sandbox serves only development, with HOST and OO_BASE_URL on this machine"
            )
        if self.is_production and "oo_rate_factor" in self.model_fields_set:
            problems.append("OO_RATE_FACTOR: for load tests only; production does not take it")
        token = self.oo_metrics_token.get_secret_value()
        if self.is_production and 0 < len(token) < LEAST_SECRET_LENGTH:
            problems.append(f"OO_METRICS_TOKEN: production needs at least {LEAST_SECRET_LENGTH} characters")
        return problems + self._missing_folders() + self._half_set()

    def _open_ways(self) -> list[str]:
        open_ways = [f"{name.upper()}: production needs https" for name in ADDRESSES if not self._is_private(name)]
        if not all(map(_is_safe_to_reach, _split(self.nats_url))):
            open_ways.append("NATS_URL: production needs tls:// beyond this machine and its private network")
        return open_ways

    def _is_private(self, name: str) -> bool:
        """Whether nobody can listen on the way to one of the addresses we connect to."""
        parts = urlsplit(str(getattr(self, name)))
        return parts.scheme == "https" or is_loopback(parts.hostname or "")

    def _missing_folders(self) -> list[str]:
        made = self.oo_data_dir.resolve()
        told = {"DATABASE_URL": self.database_url, "OO_KEYS_URL": self.oo_keys_url}
        folders = {
            name: Path(url.partition(":///")[2].partition("?")[0]).resolve().parent for name, url in told.items()
        }
        return [
            f"{name}: there is no folder {folder}"
            for name, folder in folders.items()
            if told[name] and folder != made and not folder.is_dir()
        ]

    def _half_set(self) -> list[str]:
        groups = (
            {
                "GOOGLE_CLIENT_ID": self.google_client_id,
                "GOOGLE_CLIENT_SECRET": self.google_client_secret.get_secret_value(),
            },
            {
                "TODOIST_CLIENT_ID": self.todoist_client_id,
                "TODOIST_CLIENT_SECRET": self.todoist_client_secret.get_secret_value(),
            },
            {
                "APPLE_CLIENT_ID": self.apple_client_id,
                "APPLE_TEAM_ID": self.apple_team_id,
                "APPLE_KEY_ID": self.apple_key_id,
                "APPLE_PRIVATE_KEY": self.apple_private_key.get_secret_value(),
            },
        )
        return [
            f"{name}: missing, while {next(n for n, v in group.items() if v)} is set"
            for group in groups
            if any(group.values())
            for name, value in group.items()
            if not value
        ]

    def _with_development_secrets(self) -> "Settings":
        made = {
            name: SecretStr(_kept_secret(self.oo_data_dir / file))
            for name, file in (("oo_secret_keys", "secret.key"), ("oo_encryption_keys", "encryption.key"))
            if not _split(getattr(self, name))
        }
        return self.model_copy(update=made)


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_safe_to_reach(address: str) -> bool:
    """Whether what is sent there is encrypted, or stays on this machine or, by its number or bare name, its network."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        is_near = ip_address(host).is_private
    except ValueError:
        is_near = "." not in host
    return parts.scheme == "tls" or is_near


def explain() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting, for the documentation and `oo doctor`."""
    return [
        (
            name.upper(),
            "" if isinstance(f.default, SecretStr) else str(f.default if f.default is not None else ""),
            f.description or "",
        )
        for name, f in Settings.model_fields.items()
    ]


def _split(value: SecretStr) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.get_secret_value().split(",") if part.strip())


def _unknown_names() -> list[str]:
    known = {name.upper() for name in Settings.model_fields} | set(RESERVED)
    told = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    return [f"{name}: no such variable" for name in sorted(told - known) if name.startswith("OO_")]


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(32))
        return path.read_text().strip() or _empty(path)
    except OSError as error:
        msg = f"OO_DATA_DIR: cannot write {path} ({error.strerror})"
        raise SettingsError(msg) from error


def _write_once(path: Path, text: str) -> None:
    """Write a whole file that only we can read, unless another process was first: then that one counts."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def _empty(path: Path) -> NoReturn:
    msg = f"OO_DATA_DIR: {path} is empty; put its secret back, or delete it where nothing is to be kept"
    raise SettingsError(msg)
