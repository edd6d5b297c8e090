"""Writes src/yidian/triage/compiled.json from the rule files, and tests/data/triage_cases.jsonl from the rules.

Run it after every change of a rule, a source or the lexicon, read the diff of the cases, and commit all of it.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from triage_cases import CASES, cases_of  # noqa: E402  (the path above)

from yidian.triage.rulebook import RuleError, load, write_compiled  # noqa: E402  (likewise)

if __name__ == "__main__":
    try:
        changed = write_compiled()
    except RuleError as error:
        sys.exit(f"规则文件有误：{error}")
    book = load()
    lines = [json.dumps({"rule": rule.id, "cases": cases_of(rule)}, ensure_ascii=False) for rule in book.rules.values()]
    CASES.write_text("\n".join(sorted(lines)) + "\n", "utf-8")
    sys.stdout.write(f"{len(book.rules)} 条规则，compiled.json {'已更新' if changed else '没有变'}。\n")
