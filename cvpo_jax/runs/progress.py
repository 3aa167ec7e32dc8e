"""What a checkpoint says of itself: how far the run was, how good, and a checksum of every array in it."""

import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any

from cvpo_jax.runs.stored import DamagedError


@dataclass(frozen=True)
class Progress:
    """The entry `progress` of a checkpoint."""

    seconds: float
    """Of training so far."""
    score: float
    """By which the best checkpoint is chosen."""
    checksums: dict[str, int]
    """Of each array, by item and path."""

    def to_json(self) -> dict[str, Any]:
        """The values, and their own checksum."""
        values = asdict(self)
        return values | {"checksum": _of_values(values)}

    @classmethod
    def from_json(cls, values: Any) -> "Progress":
        """Read what `to_json` gave; raises DamagedError."""
        names = ("seconds", "score", "checksums")
        if not isinstance(values, dict) or set(values) != {*names, "checksum"}:
            raise DamagedError("progress/ is not what this version writes")
        found = {name: values[name] for name in names}
        if values["checksum"] != _of_values(found):
            raise DamagedError("progress/ is not what was written")
        return cls(**found)


def _of_values(values: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())
