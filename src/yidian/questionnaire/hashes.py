"""What a result was made by, as hashes: the questionnaire, the rules that decide, and the engine."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# What of a sidecar decides a result or is said while it runs; the rest is about the self-test.
DECIDES = ("kind", "instructions", "scores", "bands", "red_flags", "otherwise", "fixed")
# The code that scores, here and in the browser.
_ENGINE = (
    "change.py",
    "enablement.py",
    "items.py",
    "responses.py",
    "result.py",
    "scoring.js",
    "scoring.py",
    "values.py",
)


def canonical(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces; equal values are equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=float)


@cache
def engine_sha256() -> str:
    """The SHA-256 of the engine's source."""
    total = hashlib.sha256()
    for name in _ENGINE:
        total.update(name.encode() + b"\0" + (Path(__file__).parent / name).read_bytes())
    return total.hexdigest()


def hashes_of(questionnaire: Mapping, sidecar: Mapping) -> dict[str, str]:
    """``questionnaire``, ``rules`` and ``engine``, each a SHA-256 in hexadecimal."""
    rules = {name: sidecar[name] for name in DECIDES if name in sidecar}
    return {
        "questionnaire": hashlib.sha256(canonical(questionnaire).encode()).hexdigest(),
        "rules": hashlib.sha256(canonical(rules).encode()).hexdigest(),
        "engine": engine_sha256(),
    }
