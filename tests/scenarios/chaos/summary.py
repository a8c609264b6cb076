"""Print the table of docs/evidence from its JSON files: ``python -m tests.scenarios.chaos.summary docs/evidence``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ORDER = (
    "kill",
    "stop",
    "pause",
    "pg",
    "net",
    "clock",
    "poison",
    "edit",
    "flood",
    "alerts",
    "outage",
    "enqueue",
    "celery",
    "odd",
    "operate",
    "masses",
    "soak",
)
BROKEN = ("lost", "doubled", "unaccounted", "double_starts", "second_starts", "stale_accepted", "overlaps", "errors")


def main() -> None:
    folder = Path(sys.argv[1])
    print("| campaign | done | fire times | " + " | ".join(name.replace("_", " ") for name in BROKEN) + " | figures |")
    print("|---|---|---:|" + "---:|" * len(BROKEN) + "---|")
    for name in ORDER:
        for file in sorted(folder.glob(f"{name}*.json")):
            facts = json.loads(file.read_text())
            if "verdict" in facts:  # a benchmark has none
                print(_row(file.name, facts))


def _row(file: str, facts: dict[str, Any]) -> str:
    verdict = facts["verdict"]
    counts = " | ".join(str(verdict[name]) for name in BROKEN)
    return (
        f"| [{facts['campaign']}]({file}) | {_words(facts['done'])} | {verdict['fire_times']:,} |"
        f" {counts} | {_words(facts['figures'])} |"
    )


def _words(values: dict[str, Any]) -> str:
    parts = []
    for name, value in values.items():
        shown = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        parts.append(f"{name.replace('_', ' ')} {shown}")
    return " · ".join(parts)


if __name__ == "__main__":
    main()
