"""The self-tests of this site: a FHIR R4 Questionnaire (JSON) and a sidecar (YAML) each; 我该怎么办 from the rules."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml

from yidian.questionnaire.scoring import Form, prepare
from yidian.selftests import general
from yidian.selftests.checking import KINDS, faults

FOLDER = Path(__file__).parent / "library"


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


def _own_folder() -> Path | None:
    """The operator's own; not by Django's settings, since a command that checks or scores one loads none."""
    folder = os.environ.get("YIDIAN_SELF_TESTS", "")
    return Path(folder) if folder else None


def _own() -> list[Path]:
    folder = _own_folder()
    return sorted(folder.glob("*.json")) if folder else []


def own_faults() -> list[str]:
    """What is wrong with the operator's own self-tests, in Chinese, each with its file; empty when all can be shown."""
    folder = _own_folder()
    if folder and not folder.is_dir():
        return [f"YIDIAN_SELF_TESTS 写的文件夹 {folder} 不存在。"]
    shipped = {path.stem for path in FOLDER.glob("*.json")} | {general.SLUG}
    found = [f"{path.name}：这个名字自带的自测已经用了，请换一个。" for path in _own() if path.stem in shipped]
    return found + [f"{path.name}：{fault}" for path in _own() for fault in faults(path)]


@cache
def self_tests() -> dict[str, SelfTest]:
    """slug → self-test, in the order of lists: by kind, the thorough before the quick."""
    found = [read(path) for path in (*FOLDER.glob("*.json"), *_own())]
    found.append(SelfTest(general.SLUG, prepare(*general.documents())))
    kinds = list(KINDS)
    found.sort(key=lambda test: (kinds.index(test.sidecar["kind"]), -len(test.form.asked), test.slug))
    return {test.slug: test for test in found}


def about(condition: str | None) -> list[SelfTest]:
    """The self-tests about a condition, named by its slug."""
    return [test for test in self_tests().values() if condition and condition in test.sidecar.get("about", ())]
