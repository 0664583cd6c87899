"""The wire schema says what is really sent, and a change that breaks its readers is refused."""

import json
import shutil
from dataclasses import Field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from oo_app.events import EVENTS, Event, fact_name, wire
from oo_app.kit.mirror import Recorded
from scripts import events as script

pytestmark = pytest.mark.long

AT = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
PROTO_TYPES = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_BOOL: bool,
}
every_event = pytest.mark.parametrize("event", EVENTS, ids=[event.subject for event in EVENTS])


@cache
def pool() -> DescriptorPool:
    made = DescriptorPool()
    for file in script.read_schema().file:
        made.Add(file)  # pyright: ignore[reportAttributeAccessIssue] -- the stubs leave it out
    return made


def envelope() -> Descriptor:
    """Return what every message is."""
    return pool().FindMessageTypeByName("oo.events.v1.Event")


def plain(kind: Any) -> tuple[type, bool]:
    """Return what a field holds at bottom, and whether it may hold nothing."""
    if get_origin(kind) is Literal:
        return str, False
    if isinstance(kind, UnionType):
        (inner,) = (each for each in get_args(kind) if each is not NoneType)
        return plain(inner)[0], True
    return kind, False


def sample(event: type[Event], *, absent: bool = False) -> Event:
    """Return an event whose every field holds something that can be told from nothing."""
    hints = get_type_hints(event)

    def value(field: Field[Any]) -> Any:
        kind, may_miss = plain(hints[field.name])
        if may_miss and absent:
            return None
        if field.name.endswith("_at"):
            return AT.isoformat()
        literal = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        return literal[0] if literal else {str: "an-id", int: 86_400_000, float: -0.05, bool: True}[kind]

    return event(**{field.name: value(field) for field in fields(event)})


def sent(fact: Event) -> bytes:
    recorded = Recorded(1, "an-id", None, fact.subject, fact.version, json.dumps(fact.payload()), AT)
    return wire(recorded) or b""


def parsed(body: bytes) -> Any:
    """Read a message by the schema, which must know all of it."""
    return json_format.Parse(body, message_factory.GetMessageClass(envelope())(), ignore_unknown_fields=False)


@every_event
@pytest.mark.parametrize("absent", [False, True], ids=["whole", "sparse"])
def test_every_message_is_read_by_the_schema_and_comes_back_the_same(event: type[Event], *, absent: bool):
    fact = sample(event, absent=absent)

    read = parsed(sent(fact))

    back = json_format.MessageToDict(read, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    told = {name: value for name, value in fact.payload().items() if value is not None}
    for name in told:
        if name.endswith("_at"):
            told[name] = AT.isoformat().replace("+00:00", "Z")
    assert (back["id"], back["subject"], back["version"]) == ("an-id", event.subject, event.version)
    assert datetime.fromisoformat(back["at"]) == AT
    assert back[fact_name(event)] == told


@every_event
def test_fields_are_the_same_in_name_and_type(event: type[Event]):
    message = envelope().fields_by_name[fact_name(event)].message_type
    assert message
    hints = get_type_hints(event)
    ours = {field.name: plain(hints[field.name]) for field in fields(event)}
    theirs = {
        field.name: ((str, False) if field.message_type else (PROTO_TYPES[field.type], field.has_presence))
        for field in message.fields
    }

    assert message.name == event.__name__
    assert ours == theirs
    assert [name for name in ours if name.endswith("_at")] == [
        field.name for field in message.fields if field.message_type and field.message_type.name == "Timestamp"
    ]


def test_the_schema_knows_every_event_and_no_other():
    known = {field.name for field in envelope().oneofs_by_name["fact"].fields}

    assert known == {fact_name(event) for event in EVENTS}


@pytest.mark.parametrize("body", [b'{"id": "x", "words": "y"}', b'{"tip_reacted": {"dwell_ms": "long"}}'])
def test_what_the_schema_does_not_know_is_refused(body: bytes):
    with pytest.raises(json_format.ParseError):
        parsed(body)


def test_an_event_of_another_version_of_oo_is_not_sent():
    assert wire(Recorded(1, "an-id", None, "signals.unheard.of", 1, "{}", AT)) is None


def test_the_check_passes():
    assert script.checked() == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("  string item_id = 2;", "  string item_id = 7;"),
        ("  string item_id = 2;", ""),
        ("  string item_id = 2;", "  int32 item_id = 2;"),
        ("  string item_id = 2;", "  string thing_id = 2;"),
        ("  optional int32 dwell_ms = 4;", "  int32 dwell_ms = 4;"),
        ("message TipServed {", "message TipShown {"),
    ],
    ids=["renumbered", "removed", "retyped", "renamed", "no longer optional", "message renamed"],
)
def test_a_planted_break_is_refused(tmp_path: Path, was: str, becomes: str):
    copy = tmp_path / "proto"
    shutil.copytree(script.SCHEMA, copy)
    signals, event = (copy / "oo/events/v1" / name for name in ("signals.proto", "event.proto"))
    assert was in signals.read_text()
    signals.write_text(signals.read_text().replace(was, becomes))
    if "TipShown" in becomes:
        event.write_text(event.read_text().replace("TipServed", "TipShown"))

    assert script.breaking(copy, script.BASELINE) != ""


def test_a_planted_addition_is_let_through(tmp_path: Path):
    copy = tmp_path / "proto"
    shutil.copytree(script.SCHEMA, copy)
    signals = copy / "oo/events/v1/signals.proto"
    signals.write_text(signals.read_text().replace("  string item_id = 2;", "  string item_id = 2;\n  string new = 4;"))

    assert script.breaking(copy, script.BASELINE) == ""


def test_a_schema_that_cannot_be_read_is_refused(tmp_path: Path):
    copy = tmp_path / "proto"
    shutil.copytree(script.SCHEMA, copy)
    (copy / "oo/events/v1/ops.proto").write_text("message")

    assert script.breaking(copy, script.BASELINE) != ""
