"""
Measures of the code: sizes of modules, functions and folders.

``python -m tests.house`` prints them, ``python -m tests.house FOLDER`` those of another checkout.
``tests/unit/test_house.py`` holds the limits, ``tests/integration/engine/test_the_path_of_a_fire_time.py`` the path.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import prose

CHECKOUT = Path(__file__).resolve().parents[1]
APPS = ("scheduler", "openlearn")

MODULE_LINES = 300
FUNCTION_LINES = 40
PARAMETERS = 7
MODULES_IN_A_FOLDER = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    name: str
    """As ``path.py:Class.method``."""
    lines: int
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    modules: dict[str, int]
    """Lines of each module, by its path."""
    functions: tuple[Function, ...]
    folders: dict[str, int]
    """Modules of each folder, without ``__init__.py``."""


def measure(*, root: Path = CHECKOUT, apps: tuple[str, ...] = APPS) -> House:
    """Measure the code of the apps, without migrations."""
    modules: dict[str, int] = {}
    functions: list[Function] = []
    folders: Counter[str] = Counter()
    for app in apps:
        for file in sorted((root / app).rglob("*.py")):
            if "migrations" in file.parts:
                continue
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            modules[path] = text.count("\n")
            functions += _functions(ast.parse(text), prefix=f"{path}:")
            if file.name != "__init__.py":
                folders[path.rpartition("/")[0]] += 1
    return House(modules=modules, functions=tuple(functions), folders=dict(folders))


def _functions(tree: ast.AST, *, prefix: str) -> Iterator[Function]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            yield Function(
                name=f"{prefix}{node.name}",
                lines=(node.end_lineno or node.lineno) - node.lineno + 1,
                parameters=len([name for name in names if name not in ("self", "cls")]),
            )
        yield from _functions(node, prefix=f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix)


def long_modules(house: House) -> dict[str, int]:
    return {path: lines for path, lines in house.modules.items() if lines > MODULE_LINES}


def long_functions(house: House) -> dict[str, int]:
    return {each.name: each.lines for each in house.functions if each.lines > FUNCTION_LINES}


def wide_functions(house: House) -> dict[str, int]:
    return {each.name: each.parameters for each in house.functions if each.parameters > PARAMETERS}


def full_folders(house: House) -> dict[str, int]:
    return {path: number for path, number in house.folders.items() if number > MODULES_IN_A_FOLDER}


def table(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table that compares two states of the code."""
    house = measure(root=root)
    longest_module = max(house.modules, key=house.modules.__getitem__)
    longest_function = max(house.functions, key=lambda each: each.lines)
    fullest = max(house.folders, key=house.folders.__getitem__)
    for app in APPS:
        inside = {path: lines for path, lines in house.modules.items() if path.startswith(f"{app}/")}
        yield f"{app}: lines, modules", f"{sum(inside.values()):,}, {len(inside):,}"
    yield "statements in scheduler/store/sql", f"{len(list((root / 'scheduler/store/sql').glob('*.sql')))}"
    yield "longest module", f"{house.modules[longest_module]} ({longest_module})"
    yield "longest function", f"{longest_function.lines} ({longest_function.name})"
    yield f"modules above {MODULE_LINES} lines", f"{len(long_modules(house))}"
    yield f"functions above {FUNCTION_LINES} lines", f"{len(long_functions(house))}"
    yield f"functions above {PARAMETERS} parameters", f"{len(wide_functions(house))}"
    yield "modules in the fullest folder", f"{house.folders[fullest]} ({fullest})"
    yield f"folders above {MODULES_IN_A_FOLDER} modules", f"{len(full_folders(house))}"
    for title, sentences in (("docstrings", prose.of_docstrings(root=root)), ("docs", prose.of_docs(root=root))):
        found = prose.found_in(sentences)
        shares = ", ".join(f"{100 * len(matched) / len(sentences):.1f} %" for matched in found.values())
        yield f"{title}: {', '.join(found)}", shares


if __name__ == "__main__":
    for name, value in table(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else CHECKOUT):
        print(f"{name:48} {value}")
