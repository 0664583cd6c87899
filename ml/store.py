"""Heads and versions of what is shared, as bytes: arrays and the schema they belong to, never pickled."""

import io
import json

import numpy as np

from ml.design import Design
from ml.head import Head
from ml.mixed import Shared
from ml.types import Array, Scaling, Schema

ORDER = "<f8"
CHOSEN = ("pairs", "products", "own_columns", "own_pairs")
ARRAYS = ("mean", "covariance", "precision")
SCALES = ("context_centre", "context_spread", "centre", "spread", "bent", "knots")


def head_to_bytes(head: Head, schema: Schema) -> bytes:
    """Write a head: the schema's digest, then count, pull (d,) and the upper half of gram as little-endian float64."""
    upper = head.gram[np.triu_indices(len(head.pull))]
    numbers = np.concatenate([[float(head.count)], head.pull, upper])
    return schema.digest.encode() + numbers.astype(ORDER).tobytes()


def head_from_bytes(stored: bytes, schema: Schema) -> Head | None:
    """Read a head; None where it was learnt in other columns, so that it has to be replayed."""
    digest = schema.digest.encode()
    if not stored.startswith(digest):
        return None
    numbers: Array = np.frombuffer(stored, ORDER, offset=len(digest)).astype(np.float64)
    width = int((np.sqrt(8 * len(numbers) + 1) - 3) / 2)  # 1 + d + d (d + 1) / 2 numbers
    gram = np.zeros((width, width))
    gram[np.triu_indices(width)] = numbers[1 + width :]
    return Head(gram + np.triu(gram, 1).T, numbers[1 : 1 + width], int(numbers[0]))


def shared_to_bytes(shared: Shared) -> bytes:
    """Write a version of what is shared, as an npz archive."""
    design, stored = shared.design, io.BytesIO()
    told = {
        "version": shared.version,
        "noise": shared.noise,
        "keep": shared.keep,
        "context": design.schema.context,
        "candidates": design.schema.candidates,
    }
    np.savez_compressed(
        stored,
        allow_pickle=False,
        told=np.array(json.dumps(told)),
        **{name: getattr(design, name) for name in CHOSEN},
        **{name: getattr(shared, name) for name in ARRAYS},
        **{name: getattr(design.scaling, name) for name in SCALES},
    )
    return stored.getvalue()


def shared_from_bytes(stored: bytes) -> Shared:
    """Read a version of what is shared; ValueError when it is none."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as archive:
        told = json.loads(str(archive["told"]))
        schema = Schema(tuple(told["context"]), tuple(told["candidates"]))
        design = Design(schema, Scaling(*(archive[name] for name in SCALES)), *(archive[name] for name in CHOSEN))
        mean, covariance, precision = (archive[name] for name in ARRAYS)
    return Shared(told["version"], design, mean, covariance, precision, told["noise"], told["keep"])
