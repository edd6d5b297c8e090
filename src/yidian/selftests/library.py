"""The self-tests that ship: a FHIR R4 Questionnaire (JSON) and a sidecar (YAML) each, and 我该怎么办 from the rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml

from yidian.questionnaire.scoring import Form, prepare
from yidian.selftests import general

FOLDER = Path(__file__).parent / "library"
KINDS = {"triage": "现在怎么办", "score": "打分的自测", "measure": "量一量", "checklist": "核对清单", "diary": "日记"}


@dataclass(frozen=True)
class SelfTest:
    """One self-test; `form` is what `yidian.questionnaire.scoring` works on."""

    slug: str
    form: Form

    @property
    def title(self) -> str:
        return self.form.questionnaire["title"]

    @property
    def description(self) -> str:
        return self.form.questionnaire["description"]

    @property
    def sidecar(self) -> Mapping:
        return self.form.sidecar

    @property
    def url(self) -> str:
        return f"/self-tests/{self.slug}/"


def read(path: Path) -> SelfTest:
    """The self-test of one JSON file and the YAML beside it."""
    questionnaire = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    sidecar = yaml.safe_load(path.with_suffix(".yaml").read_text("utf-8"))
    return SelfTest(path.stem, prepare(questionnaire, sidecar))


@cache
def self_tests() -> dict[str, SelfTest]:
    """slug → self-test, in the order of lists: by kind, the thorough before the quick."""
    found = [read(path) for path in FOLDER.glob("*.json")]
    found.append(SelfTest(general.SLUG, prepare(*general.documents())))
    kinds = list(KINDS)
    found.sort(key=lambda test: (kinds.index(test.sidecar["kind"]), -len(test.form.asked), test.slug))
    return {test.slug: test for test in found}


def about(condition: str | None) -> list[SelfTest]:
    """The self-tests about a condition, named by its slug."""
    return [test for test in self_tests().values() if condition and condition in test.sidecar.get("about", ())]
