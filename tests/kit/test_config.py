"""Settings: every problem named in one line, secrets made once, the sandbox at home only."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from oo_app.kit.config import RESERVED, Settings, SettingsError, explain, is_loopback

LONG = "k" * 32
PRODUCTION = {
    "OO_ENV": "production",
    "OO_BASE_URL": "https://oo.example",
    "OO_SECRET_KEYS": LONG,
    "OO_ENCRYPTION_KEYS": LONG,
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which nothing is set, in an empty folder."""
    for name, *_ in explain():
        monkeypatch.delenv(name, raising=False)
    for name in RESERVED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def put(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def problems() -> list[str]:
    """Return what keeps us from starting, a line each."""
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    return str(refused.value).splitlines()


def test_without_any_variable_everything_has_a_default():
    settings = Settings.load()

    assert (settings.port, settings.host, settings.base_url) == (8000, "127.0.0.1", "http://localhost:8000")
    assert settings.db_url == "sqlite+aiosqlite:///data/oo.db"
    assert settings.keys_url == "sqlite+aiosqlite:///data/keys.db"
    assert settings.todoist_sync_interval_ms == 600_000
    assert not settings.is_production
    assert settings.has_sandbox


def test_the_port_moves_the_address(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, PORT="9000")

    settings = Settings.load()

    assert (settings.base_url, settings.sandbox_url) == ("http://localhost:9000", "http://127.0.0.1:9000")


def test_the_data_folder_moves_everything_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    put(monkeypatch, OO_DATA_DIR=str(tmp_path / "elsewhere"))

    settings = Settings.load()

    assert settings.db_url == f"sqlite+aiosqlite:///{tmp_path}/elsewhere/oo.db"
    assert sorted(file.name for file in (tmp_path / "elsewhere").iterdir()) == ["encryption.key", "secret.key"]


@pytest.mark.parametrize("name", ["OO_TYPO", "OO_SECRET_KEY", "oo_typo"])
def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str):
    put(monkeypatch, **{name: "1"})

    assert problems() == [f"{name.upper()}: no such variable"]


def test_an_unknown_variable_in_the_file_is_named_too():
    Path(".env").write_text("OO_TYPO=1\nSOMETHING_ELSE=2\n")

    assert problems() == ["OO_TYPO: no such variable"]


@pytest.mark.parametrize("name", RESERVED)
def test_a_variable_of_a_later_version_is_no_problem(monkeypatch: pytest.MonkeyPatch, name: str):
    put(monkeypatch, **{name: "1"})

    assert Settings.load()


def test_variables_of_other_programs_are_no_problem(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, FOO="1", LITELLM_URL="http://localhost", ROOM="12")

    assert Settings.load()


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch):
    Path(".env").write_text("PORT=9000\nHOST=::1\n")
    put(monkeypatch, PORT="9001")

    settings = Settings.load()

    assert (settings.port, settings.host) == (9001, "::1")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, PORT="", OO_SANDBOX="", OO_SECRET_KEYS="")

    assert Settings.load().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("OO_ENV", "staging"),
        ("OO_SANDBOX", "perhaps"),
        ("OO_BASE_URL", "elsewhere.example"),
        ("OO_BASE_URL", "ftp://oo.example"),
        ("OO_BASE_URL", "https://oo.example/path"),
        ("OO_BASE_URL", "https://oo.example?query"),
        ("OO_BASE_URL", "https://oo.example#part"),
        ("OO_BASE_URL", "https://ada@oo.example"),
        ("OO_BASE_URL", "https://oo.example:port"),
        ("OO_BASE_URL", "https://[::1"),
        ("OO_BASE_URL", "https:///"),
        ("DATABASE_URL", "postgresql://localhost/oo"),
        ("DATABASE_URL", "sqlite:///oo.db"),
        ("OO_KEYS_URL", "sqlite:///keys.db"),
        ("OO_KEYS_URL", "mysql://localhost/keys"),
        ("TODOIST_SYNC_INTERVAL_MS", "77"),
        ("OO_TRUSTED_PROXY_HOPS", "-1"),
        ("OO_TRUSTED_PROXY_HOPS", "77"),
        ("OO_TRUSTED_PROXY_HOPS", "one"),
        ("OO_RATE_FACTOR", "0.5"),
        ("OO_RATE_FACTOR", "-7"),
        ("OO_RATE_FACTOR", "nan"),
        ("OO_RATE_FACTOR", "inf"),
        ("OO_RATE_FACTOR", "2000000"),
        ("OO_RATE_FACTOR", "much"),
        ("OO_SECRET_KEYS", "short"),
        ("OO_ENCRYPTION_KEYS", f"{LONG},short"),
    ],
)
def test_a_malformed_value_is_named_in_one_line_that_does_not_repeat_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    put(monkeypatch, **{name: value})

    (line,) = problems()

    assert line.startswith(f"{name}: ")
    assert value not in line


@pytest.mark.parametrize("name", ["DATABASE_URL", "OO_KEYS_URL"])
def test_a_database_in_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str):
    put(monkeypatch, **{name: f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/oo.db"})

    assert problems() == [f"{name}: there is no folder {tmp_path}/no/such/folder"]


def test_a_database_in_the_data_folder_need_not_be_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    put(monkeypatch, OO_DATA_DIR=str(tmp_path / "new"), DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/new/oo.db")

    assert Settings.load().db_url == f"sqlite+aiosqlite:///{tmp_path}/new/oo.db"


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, PORT="eighty", OO_ENV="staging", OO_TYPO="1")

    assert [line.partition(":")[0] for line in problems()] == ["OO_TYPO", "PORT", "OO_ENV"]


@pytest.mark.parametrize(
    ("told", "origin"),
    [
        ("https://oo.example", "https://oo.example"),
        ("https://oo.example/", "https://oo.example"),
        ("https://OO.Example", "https://oo.example"),
        ("https://oo.example:443", "https://oo.example"),
        ("http://oo.example:80", "http://oo.example"),
        ("http://localhost:9000", "http://localhost:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://oo.example:80", "https://oo.example:80"),
    ],
)
def test_the_address_is_written_as_browsers_send_it(monkeypatch: pytest.MonkeyPatch, told: str, origin: str):
    put(monkeypatch, OO_BASE_URL=told)

    assert Settings.load().base_url == origin


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ("GOOGLE_CLIENT_ID", ["GOOGLE_CLIENT_SECRET"]),
        ("GOOGLE_CLIENT_SECRET", ["GOOGLE_CLIENT_ID"]),
        ("TODOIST_CLIENT_ID", ["TODOIST_CLIENT_SECRET"]),
        ("APPLE_KEY_ID", ["APPLE_CLIENT_ID", "APPLE_TEAM_ID", "APPLE_PRIVATE_KEY"]),
    ],
)
def test_a_half_set_group_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, present: str, missing: list[str]):
    put(monkeypatch, **{present: "something"})

    assert problems() == [f"{name}: missing, while {present} is set" for name in missing]


def test_production_names_each_missing_variable(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_ENV="production")

    assert [line.partition(":")[0] for line in problems()] == ["OO_SECRET_KEYS", "OO_ENCRYPTION_KEYS", "OO_BASE_URL"]


def test_production_makes_no_secrets(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_ENV="production")

    problems()

    assert not Path("data").exists()


def test_production_starts_with_everything_set(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, **PRODUCTION)

    settings = Settings.load()

    assert (settings.is_production, settings.has_sandbox, settings.is_https) == (True, False, True)
    assert (settings.session_cookie, settings.flow_cookie) == ("__Host-oo_session", "__Host-oo_flow")


def test_production_wants_https(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, **PRODUCTION | {"OO_BASE_URL": "http://oo.example"})

    assert problems() == ["OO_BASE_URL: production needs https"]


@pytest.mark.parametrize("name", ["GOOGLE_ISSUER", "TODOIST_API_URL", "TODOIST_TOKEN_URL"])
def test_production_wants_https_of_others_too(monkeypatch: pytest.MonkeyPatch, name: str):
    put(monkeypatch, **PRODUCTION | {name: "http://service.example/api"})

    assert problems() == [f"{name}: production needs https"]


def test_limits_and_proxies_are_read(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_TRUSTED_PROXY_HOPS="2", OO_RATE_FACTOR="1.5", OO_METRICS_TOKEN="a-token")

    settings = Settings.load()

    assert (settings.oo_trusted_proxy_hops, settings.oo_rate_factor) == (2, 1.5)
    assert settings.oo_metrics_token.get_secret_value() == "a-token"
    assert "a-token" not in repr(settings)


def test_by_default_no_proxy_is_believed_and_nobody_reads_metrics_by_token():
    settings = Settings.load()

    assert (settings.oo_trusted_proxy_hops, settings.oo_rate_factor) == (0, 1)
    assert settings.oo_metrics_token.get_secret_value() == ""


@pytest.mark.parametrize("factor", ["1", "10"])
def test_production_takes_no_factor(monkeypatch: pytest.MonkeyPatch, factor: str):
    put(monkeypatch, **PRODUCTION | {"OO_RATE_FACTOR": factor})

    assert problems() == ["OO_RATE_FACTOR: for load tests only; production does not take it"]


def test_production_wants_a_metrics_token_that_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, **PRODUCTION | {"OO_METRICS_TOKEN": "short"})

    assert problems() == ["OO_METRICS_TOKEN: production needs at least 32 characters"]


@pytest.mark.parametrize(
    "variables",
    [
        {"OO_SANDBOX": "true", "HOST": "0.0.0.0"},
        {"OO_SANDBOX": "true", "HOST": "192.168.1.4"},
        {"OO_SANDBOX": "true", "OO_BASE_URL": "https://oo.example"},
        {"OO_SANDBOX": "true", "OO_BASE_URL": "http://localhost.oo.example"},
        PRODUCTION | {"OO_SANDBOX": "true"},
        PRODUCTION | {"OO_SANDBOX": "true", "OO_BASE_URL": "http://localhost:8000"},
    ],
)
def test_the_sandbox_is_refused_away_from_home(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]):
    put(monkeypatch, **variables)

    assert [line.partition(":")[0] for line in problems()] == ["OO_SANDBOX"]


@pytest.mark.parametrize(
    "variables", [{"HOST": "0.0.0.0"}, {"OO_BASE_URL": "https://oo.example"}, {"OO_SANDBOX": "no"}]
)
def test_the_sandbox_stays_away_by_itself(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]):
    put(monkeypatch, **variables)

    assert not Settings.load().has_sandbox


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_this_machine_is_known_by_its_names(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "localhost.example", "example", "10.0.0.1", "127.0.0.1.example"])
def test_other_machines_are_told_apart(host: str):
    assert not is_loopback(host)


def test_development_secrets_are_made_once_for_us_alone():
    first, second = Settings.load(), Settings.load()

    assert (first.secret_keys, first.encryption_keys) == (second.secret_keys, second.encryption_keys)
    assert first.secret_keys != first.encryption_keys
    assert all(len(key) >= 32 for key in (*first.secret_keys, *first.encryption_keys))
    files = sorted(Path("data").iterdir())
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in files] == [
        ("encryption.key", 0o600),
        ("secret.key", 0o600),
    ]


def test_secrets_that_are_set_are_not_made(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_SECRET_KEYS=f"{LONG}, {LONG[::-1]}x", OO_ENCRYPTION_KEYS=LONG)

    settings = Settings.load()

    assert settings.secret_keys == (LONG, f"{LONG}x")
    assert not Path("data").exists()


def test_commas_alone_are_no_secret(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_SECRET_KEYS=" , ")

    assert len(Settings.load().secret_keys) == 1


def test_a_folder_that_cannot_be_written_is_named():
    Path("data").write_text("a file stands in the way")

    (line,) = problems()

    assert line.startswith("OO_DATA_DIR: cannot write data/")


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_SECRET_KEYS=LONG, GOOGLE_CLIENT_ID="id", GOOGLE_CLIENT_SECRET="the-google-secret")

    shown = repr(Settings.load())

    assert LONG not in shown
    assert "the-google-secret" not in shown


def test_settings_do_not_change():
    settings = Settings.load()

    with pytest.raises(ValidationError):
        settings.port = 9000  # pyright: ignore[reportAttributeAccessIssue] -- that is the point


def test_only_providers_without_credentials_are_stood_in_for(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, GOOGLE_CLIENT_ID="id", GOOGLE_CLIENT_SECRET="the-google-secret")

    settings = Settings.load().with_stand_ins("a-key")

    assert (settings.google_client_id, settings.google_issuer) == ("id", "https://accounts.google.com")
    assert settings.apple_issuer == "http://127.0.0.1:8000/sandbox/apple"
    assert settings.todoist_api_url == "http://127.0.0.1:8000/sandbox/todoist/api/v1"


def test_every_variable_is_explained():
    assert [name for name, _, meaning in explain() if not meaning] == []
    assert {"PORT", "OO_ENV", "TODOIST_CLIENT_SECRET"} <= {name for name, *_ in explain()}


def test_an_explanation_tells_no_secret(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, OO_SECRET_KEYS=LONG)

    assert LONG not in str(explain())


@pytest.mark.parametrize(
    "address", ["nats://127.0.0.1:4222", "tls://user:secret@nats.example:4222", "nats://one:4222, nats://two:4222"]
)
def test_addresses_of_nats(monkeypatch: pytest.MonkeyPatch, address: str):
    put(monkeypatch, NATS_URL=address)

    assert Settings.load().nats_url.get_secret_value() == address


@pytest.mark.parametrize(
    "address",
    ["http://nats:4222", "nats://:4222", "nats:4222", "nats://host:port", "nats://host/path", "nats://a,ws://b"],
)
def test_what_is_no_address_of_nats_is_named_without_its_text(monkeypatch: pytest.MonkeyPatch, address: str):
    put(monkeypatch, NATS_URL=address)

    (said,) = problems()

    assert said.startswith("NATS_URL: must be an address like nats://127.0.0.1:4222")
    assert address not in said


@pytest.mark.parametrize(
    "address", ["nats://nats.example", "nats://93.184.216.34", "nats://127.0.0.1,nats://n.example"]
)
def test_production_refuses_an_open_way_to_nats(monkeypatch: pytest.MonkeyPatch, address: str):
    put(monkeypatch, **PRODUCTION, NATS_URL=address)

    assert problems() == ["NATS_URL: production needs tls:// beyond this machine and its private network"]


@pytest.mark.parametrize(
    "address", ["tls://nats.example", "nats://127.0.0.1", "nats://[::1]:4222", "nats://10.1.2.3", "nats://nats:4222"]
)
def test_production_takes_a_way_to_nats_that_is_closed(monkeypatch: pytest.MonkeyPatch, address: str):
    put(monkeypatch, **PRODUCTION, NATS_URL=address)

    assert Settings.load().is_production


def test_a_password_for_nats_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, NATS_URL="nats://oo:much-secret@127.0.0.1")

    assert "much-secret" not in repr(Settings.load())
