"""Keeps the events' wire schema: lints it, refuses what breaks its readers, and writes the page that lists it.

python -m scripts.events check      what `make check` runs
python -m scripts.events write      writes docs/events.md anew
python -m scripts.events release    makes today's schema the one that later ones are compared with
"""

import ast
import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from pydantic import SecretStr

from oo_app import wiring
from oo_app.events import EVENTS, STREAMS, Event
from oo_app.kit.config import Settings
from oo_app.runtime import build

ROOT = Path(__file__).resolve().parent.parent
BUF = ROOT / "tests" / "node" / "node_modules" / ".bin" / "buf"
SCHEMA = ROOT / "proto"
BASELINE = SCHEMA / "baseline.binpb"
PAGE = ROOT / "docs" / "events.md"
ENVELOPE = "Event"
HEAD = """# Events

<!-- Written by scripts/events.py from proto/ and oo_app/; `python -m scripts.events write` does it again. -->

What happens in oO is told as events. Each is stored in the transaction that caused it, handed to what hears it inside
oO, kept in a ring of the last 500, and, with `NATS_URL` set, mirrored to JetStream (see
[operations.md](operations.md)). They hold ids, numbers and enumerations, and never a person's words.

A mirrored message is JSON: the ProtoJSON form of `oo.events.v1.Event`, its fields named as in the schema
([proto/oo/events/v1](../proto/oo/events/v1)). So it can be read with or without generated code. Readers pass over
fields they do not know, know a fact by its `id`, and may get one twice.
"""


def main() -> int:
    """Do what is asked; the exit code is not 0 when something is not as it should be."""
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "check":
        return checked()
    if verb == "write":
        PAGE.write_text(page(read_schema()))
        return 0
    if verb == "release":
        return buf("build", str(SCHEMA), "--exclude-source-info", "-o", str(BASELINE)).returncode
    print(__doc__)
    return 2


def checked() -> int:
    """Lint, compare with the last release, and see whether the page is what would be written."""
    failed = [why for why in (lint(), breaking(SCHEMA, BASELINE)) if why]
    if not failed and PAGE.read_text() != page(read_schema()):
        failed.append("docs/events.md is not what `python -m scripts.events write` writes")
    print("\n".join(failed), end="\n" if failed else "")
    return min(len(failed), 1)


def lint() -> str:
    """Return what is wrong with the schema's style."""
    return buf("lint", str(SCHEMA)).stdout


def breaking(schema: Path, baseline: Path) -> str:
    """Return what of a schema would break those who read by the baseline."""
    compared = buf("breaking", str(schema), "--against", str(baseline))
    return compared.stdout or compared.stderr if compared.returncode else ""


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run buf; it needs nothing from outside."""
    if not BUF.exists():
        sys.exit("buf is missing; `sh scripts/setup.sh dev` installs it")
    return subprocess.run([BUF, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def read_schema() -> FileDescriptorSet:
    """Return the schema with its comments."""
    built = subprocess.run([BUF, "build", SCHEMA, "-o", "-#format=binpb"], cwd=ROOT, capture_output=True, check=True)
    return FileDescriptorSet.FromString(built.stdout)


def page(schema: FileDescriptorSet) -> str:
    """Return docs/events.md."""
    messages = {
        message.name: (message, comments(file, at))
        for file in schema.file
        if file.package == "oo.events.v1"
        for at, message in enumerate(file.message_type)
    }
    envelope, heard = messages[ENVELOPE], hearers()
    parts = [HEAD, "## Every message\n", table(*envelope), "and, in a field of its own, one of these:\n"]
    for event in EVENTS:
        message, said = messages[event.__name__]
        stream = next((each.name for each in STREAMS if event.subject.startswith(each.prefix)), None)
        field = name_in(envelope[0], event)
        facts = [
            f"- version {event.version}, message `{event.__name__}`, in the field `{field}`",
            f"- told by {listed(emitters(event))}; heard by {listed(heard.get(event.subject, []))}",
            f"- mirrored to the stream `{stream}`" if stream else "- not mirrored",
        ]
        parts += [f"## {event.subject}\n", said[None] + "\n", "\n".join(facts) + "\n", table(message, said)]
    return "\n".join(parts)


def comments(file: FileDescriptorProto, at: int) -> dict[int | None, str]:
    """Return what is said of a message (None) and of each of its fields (by position)."""
    found: dict[int | None, str] = {}
    for location in file.source_code_info.location:
        match list(location.path):
            case [4, message] if message == at:
                found[None] = location.leading_comments.strip()
            case [4, message, 2, field] if message == at:
                found[field] = location.leading_comments.strip()
            case _:
                pass
    return found


def table(message: DescriptorProto, said: dict[int | None, str]) -> str:
    """Return a message's own fields as a table; what is one of several is listed by itself."""
    rows = [
        f"| `{field.name}` | {kind(field)} | {said[at]} |"
        for at, field in enumerate(message.field)
        if field.proto3_optional or not field.HasField("oneof_index")
    ]
    return "\n".join(["| field | type | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def kind(field: FieldDescriptorProto) -> str:
    """Return a field's type as it is written in the schema."""
    scalar = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = field.type_name.rpartition(".")[2] or scalar
    return f"{name}, or absent" if field.proto3_optional else name


def name_in(envelope: DescriptorProto, event: type[Event]) -> str:
    """Return the envelope's field for an event."""
    return next(field.name for field in envelope.field if field.type_name.endswith(f".{event.__name__}"))


def emitters(event: type[Event]) -> list[str]:
    """Return the modules that make such an event."""
    paths = sorted((ROOT / "oo_app").rglob("*.py"))
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == event.__name__
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]


def hearers() -> dict[str, list[str]]:
    """Return subject → the functions that hear it."""
    key = SecretStr("nothing is sealed or signed with this")
    rt = build(Settings(oo_secret_keys=key, oo_encryption_keys=key))
    return {
        subject: [getattr(handler, "__name__", str(handler)) for handler in handlers]
        for subject, handlers in wiring.handlers(rt).items()
    }


def listed(names: list[str]) -> str:
    """Return names as a sentence has them."""
    return ", ".join(f"`{name}`" for name in names) or "nobody"


if __name__ == "__main__":
    sys.exit(main())
