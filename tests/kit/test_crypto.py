"""Seals that open only in their place and with their person's key; keys that rotate and are destroyed."""

import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from oo_app.kit.config import Settings, SettingsError
from oo_app.kit.crypto import PersonVault, Place, Vault, hash_token, new_token, same
from oo_app.kit.errors import Invalid, NotFound

OLD, NEW, OTHER = "old-key-" * 5, "new-key-" * 5, "other-key-" * 5
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOME = Place("item", "1", "content")
TEXTS = st.text(max_size=200)
PARTS = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1, max_size=8)
PLACES = st.builds(Place, PARTS, PARTS, PARTS)


def settings_of(folder: Path, *, encryption: str, secret: str) -> Settings:
    return Settings(oo_data_dir=folder, oo_encryption_keys=SecretStr(encryption), oo_secret_keys=SecretStr(secret))


@asynccontextmanager
async def vault_in(folder: Path, *, encryption: str = OLD, secret: str = OLD) -> AsyncGenerator[Vault]:
    """Open the key store in a folder."""
    vault = Vault(settings_of(folder, encryption=encryption, secret=secret))
    await vault.start()
    try:
        yield vault
    finally:
        await vault.stop()


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncGenerator[Vault]:
    """A vault of its own."""
    async with vault_in(tmp_path) as opened:
        yield opened


def a_person_vault() -> PersonVault:
    return PersonVault(AESGCM(AESGCM.generate_key(bit_length=256)))


@given(text=TEXTS, place=PLACES)
def test_what_is_sealed_opens_in_its_place(text: str, place: Place):
    ada = a_person_vault()

    assert ada.open(ada.seal(text, place), place) == text


@given(text=TEXTS, place=PLACES, other=PLACES)
def test_a_seal_opens_in_no_other_place(text: str, place: Place, other: Place):
    ada = a_person_vault()

    if place != other:
        with pytest.raises(Invalid):
            ada.open(ada.seal(text, place), other)


@pytest.mark.parametrize(
    "other",
    [
        Place("note", "1", "content"),
        Place("item", "2", "content"),
        Place("item", "1", "detail"),
        Place("ite", "m1", "content"),
    ],
)
def test_a_swapped_table_row_or_column_does_not_open(other: Place):
    ada = a_person_vault()

    with pytest.raises(Invalid):
        ada.open(ada.seal("Call Mum", HOME), other)


@given(text=TEXTS, bit=st.integers(0))
def test_a_changed_seal_does_not_open(text: str, bit: int):
    ada = a_person_vault()
    sealed = bytearray(ada.seal(text, HOME))
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8

    with pytest.raises(Invalid):
        ada.open(bytes(sealed), HOME)


@given(junk=st.binary(max_size=64))
def test_what_was_never_sealed_does_not_open(junk: bytes):
    with pytest.raises(Invalid):
        a_person_vault().open(junk, HOME)


def test_half_a_character_does_no_harm():
    ada = a_person_vault()

    assert ada.open(ada.seal("Plants \ud83c", HOME), HOME) == "Plants ?"


def test_the_same_text_is_sealed_differently_each_time():
    ada = a_person_vault()

    assert len({ada.seal("Call Mum", HOME) for _ in range(20)}) == 20


def test_a_seal_shows_nothing_of_its_text():
    assert b"Call Mum" not in a_person_vault().seal("Call Mum", HOME)


async def test_another_persons_key_does_not_open_it(vault: Vault):
    ada, ben = await vault.create_for("ada"), await vault.create_for("ben")

    with pytest.raises(Invalid):
        ben.open(ada.seal("Call Mum", HOME), HOME)


async def test_a_persons_key_outlives_a_restart(tmp_path: Path):
    async with vault_in(tmp_path) as before:
        sealed = (await before.create_for("ada")).seal("Call Mum", HOME)

    async with vault_in(tmp_path) as after:
        assert (await after.for_user("ada")).open(sealed, HOME) == "Call Mum"


async def test_a_destroyed_key_is_gone_for_good(tmp_path: Path):
    async with vault_in(tmp_path) as vault:
        await vault.create_for("ada")
        await vault.destroy_for(["ada"], NOW)

        with pytest.raises(NotFound):
            await vault.for_user("ada")

    async with vault_in(tmp_path) as after:
        with pytest.raises(NotFound):
            await after.for_user("ada")


async def test_destroying_a_key_leaves_the_others(vault: Vault):
    ben = await vault.create_for("ben")
    sealed = ben.seal("Call Mum", HOME)
    await vault.create_for("ada")

    await vault.destroy_for(["ada"], NOW)

    assert (await vault.for_user("ben")).open(sealed, HOME) == "Call Mum"


async def test_nobody_has_a_key_before_it_is_made(vault: Vault):
    with pytest.raises(NotFound):
        await vault.for_user("ada")


async def test_the_store_holds_no_key_in_plain(tmp_path: Path):
    async with vault_in(tmp_path) as vault:
        await vault.create_for("ada")

    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"gAAAAA" in stored  # Fernet tokens begin so
    assert OLD.encode() not in stored


async def test_the_store_is_for_us_alone(tmp_path: Path):
    async with vault_in(tmp_path):
        assert stat.S_IMODE((tmp_path / "keys.db").stat().st_mode) == 0o600


async def test_after_a_rotation_old_keys_still_open_and_the_new_one_wraps(tmp_path: Path):
    async with vault_in(tmp_path, encryption=OLD) as before:
        sealed = (await before.create_for("ada")).seal("Call Mum", HOME)

    async with vault_in(tmp_path, encryption=f"{NEW},{OLD}") as rotated:
        assert (await rotated.for_user("ada")).open(sealed, HOME) == "Call Mum"
        of_ben = (await rotated.create_for("ben")).seal("Water", HOME)
        await rotated.destroy_for(["ada"], NOW)

    async with vault_in(tmp_path, encryption=NEW) as after:
        assert (await after.for_user("ben")).open(of_ben, HOME) == "Water"


async def test_keys_that_open_nothing_stop_the_start(tmp_path: Path):
    async with vault_in(tmp_path, encryption=OLD) as before:
        await before.create_for("ada")

    with pytest.raises(SettingsError, match=r"^OO_ENCRYPTION_KEYS: "):
        async with vault_in(tmp_path, encryption=OTHER):
            pass


async def test_a_store_that_cannot_be_opened_stops_the_start(tmp_path: Path):
    (tmp_path / "keys.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    with pytest.raises(SettingsError, match=r"^OO_KEYS_URL: "):
        async with vault_in(tmp_path):
            pass


async def test_a_box_comes_back_as_it_left(vault: Vault):
    assert vault.unbox(vault.box("state"), within_seconds=60) == "state"


@pytest.mark.parametrize("junk", ["", "x", "gAAAAA", "é", "gAAAAABnothing=="])
async def test_a_foreign_box_does_not_open(vault: Vault, junk: str):
    with pytest.raises(Invalid):
        vault.unbox(junk, within_seconds=60)


async def test_a_box_gets_old(vault: Vault):
    with pytest.raises(Invalid):
        vault.unbox(vault.box("state"), within_seconds=-1)


async def test_boxes_and_look_ups_survive_a_rotation(tmp_path: Path):
    async with vault_in(tmp_path, secret=OLD) as before:
        boxed, looked_up = before.box("state"), before.lookup("ada@sandbox.test")

    async with vault_in(tmp_path, secret=f"{NEW},{OLD}") as rotated:
        assert rotated.unbox(boxed, within_seconds=60) == "state"
        assert looked_up in rotated.lookups("ada@sandbox.test")
        assert rotated.lookup("ada@sandbox.test") != looked_up

    async with vault_in(tmp_path, secret=NEW) as after:
        with pytest.raises(Invalid):
            after.unbox(boxed, within_seconds=60)


async def test_a_look_up_needs_the_key(tmp_path: Path):
    async with vault_in(tmp_path, secret=OLD) as ours, vault_in(tmp_path, secret=OTHER) as theirs:
        assert ours.lookup("ada@sandbox.test") == ours.lookup("ada@sandbox.test")
        assert ours.lookup("ada@sandbox.test") != theirs.lookup("ada@sandbox.test")


async def test_a_vault_that_is_not_open_says_so(tmp_path: Path):
    with pytest.raises(RuntimeError, match="not open"):
        await Vault(settings_of(tmp_path, encryption=OLD, secret=OLD)).for_user("ada")


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


@given(left=TEXTS, right=TEXTS)
def test_same_compares_texts(left: str, right: str):
    assert same(left, right) == (left == right)
    assert same(left, left)


@given(token=TEXTS, other=TEXTS)
def test_a_token_is_kept_as_a_hash(token: str, other: str):
    assert len(hash_token(token)) == 64
    assert (hash_token(token) == hash_token(other)) == (token == other)
