"""The table of layers, and the reading of import statements against it.

A part is a top-level module or package of `connector`. The table says for each part which other parts it may import;
a second one says which parts may use a library that the design keeps in one place. Imports below `TYPE_CHECKING` and
within functions count like all others: they are dependencies too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

MAX_LINES = 300
NAMES_WITHOUT_MEANING = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"})

FACTS = frozenset(
    {
        "errors",
        "codes",
        "catalogue",
        "states",
        "model",
        "ports",
        "clock",
        "private",
        "profile",
        "sighting",
        "ids",
        "inbound",
        "hosts",
        "lease",
        "stops",
        "pointer",
        "alerting",
    }
)
RULES = frozenset({"verify", "mapping", "policy", "crypto", "dialect", "proof"})
PURE = FACTS | RULES
EDGES = frozenset({"config", "outbound", "published", "sources", "lytics", "channels", "store", "observe"})
DRIVERS = frozenset({"services", "web", "engine"})

MAY_IMPORT: dict[str, frozenset[str]] = {
    "__init__": frozenset(),
    # Layer 0: what things are. Layer 1: decisions without side effects.
    **dict.fromkeys(FACTS, FACTS),
    **dict.fromkeys(RULES, PURE),
    # Layer 2: one outside thing each, never each other; the two clients take the one HTTP client.
    "config": PURE,
    "outbound": FACTS,
    "published": PURE | {"outbound"},
    "store": PURE,
    "observe": PURE,
    "lytics": PURE | {"outbound"},
    "channels": PURE | {"outbound"},
    "sources": PURE | {"outbound"},
    # Layer 3: the steps of a request's life; they see the outside through `ports`, and the store as it is.
    "services": PURE | {"store"},
    # Layer 4: what drives the steps.
    "web": PURE | {"services", "store"},
    "engine": PURE | {"services", "store"},
    # Layer 5: the one place where objects are joined, and the ways in.
    "wiring": PURE | EDGES | DRIVERS,
    "wsgi": PURE | {"wiring", "observe"},
    # Looks over what is joined there, and writes nothing.
    "doctor": PURE | {"config", "outbound", "sources", "lytics", "store", "services", "wiring"},
    "cli": PURE | {"services", "store", "engine", "config", "observe", "outbound", "wiring", "doctor", "sandbox"},
    "__main__": frozenset({"cli"}),
    # A stand-in for the outside world shares no code with what it checks.
    "sandbox": frozenset(),
}

# Library → the parts that may import it.
KEPT_IN: dict[str, frozenset[str]] = {
    **dict.fromkeys(("flask", "werkzeug"), frozenset({"web", "sandbox", "wsgi"})),
    **dict.fromkeys(("requests", "urllib3"), frozenset({"outbound", "sandbox"})),
    "requests_hardened": frozenset({"outbound"}),
    "prometheus_client": frozenset({"observe"}),
    "smtplib": frozenset({"channels"}),
    **dict.fromkeys(("apscheduler", "procrastinate"), frozenset({"engine"})),
    **dict.fromkeys(("sqlalchemy", "alembic", "psycopg", "pysqlite3", "sqlite3"), frozenset({"store"})),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, by its full name, and the line that asks for it."""

    module: str
    line: int


def faults(path: PurePosixPath, source: str) -> list[str]:
    """List what the module at `path` (relative, beginning with `connector/`) does against the rules."""
    found = [f"{path}: the name '{name}' says nothing" for name in _names(path) if name in NAMES_WITHOUT_MEANING]
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        found.append(f"{path}: {lines} lines, at most {MAX_LINES}")
    part = _names(path)[0]
    if part not in MAY_IMPORT:
        return [*found, f"{path}: '{part}' has no place in the table of layers"]
    for one in imports(path, source):
        fault = _against_table(part, one.module)
        if fault:
            found.append(f"{path}:{one.line}: {fault}")
    return found


def imports(path: PurePosixPath, source: str) -> Iterator[Import]:
    """Give every module that the source imports, relative and late imports included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            # `from connector import store` names a part; `from connector.store import tables` names it already.
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "connector" else [base]
            yield from (Import(name, node.lineno) for name in names)
        elif isinstance(node, ast.Call) and _is_import_call(node.func):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield Import(first.value, node.lineno)


def _against_table(part: str, module: str) -> str:
    top, *rest = module.split(".")
    if top == "connector":
        # A name of the package itself, such as `__version__`, is no part.
        other = rest[0] if rest and rest[0] in MAY_IMPORT else "__init__"
        if other in ("__init__", part) or other in MAY_IMPORT[part]:
            # `sandbox` is refused even the bare package.
            return "'sandbox' imports nothing of the product" if part == "sandbox" and other != part else ""
        return f"'{part}' must not import '{other}'"
    if top in KEPT_IN and part not in KEPT_IN[top]:
        return f"'{top}' is kept in {', '.join(sorted(KEPT_IN[top]))}"
    if part in FACTS and top not in sys.stdlib_module_names:
        return f"layer 0 stands on the standard library alone, not on '{top}'"
    return ""


def _names(path: PurePosixPath) -> list[str]:
    return list(path.with_suffix("").parts[1:])


def _base(path: PurePosixPath, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
    return ".".join((*package, *([node.module] if node.module else [])))


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")
