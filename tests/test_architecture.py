"""The house as docs/architecture.md draws it: who may import whom, and what the core must not know."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "connector"
ROW = re.compile(r"^\| `([a-z]+(?:/|\.py))` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


def _table() -> dict[str, set[str]]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    return {part: set(re.findall(r"`([^`]+)`", allowed)) for part, allowed in ROW.findall(text)}


TABLE = _table()


def _part(module: str) -> str | None:
    """The row of the table that a module of the core belongs to."""
    names = module.split(".")
    if names[0] != "connector":
        return None
    if len(names) == 1:
        return "__init__.py"
    return f"{names[1]}/" if (CORE / names[1]).is_dir() else f"{names[1]}.py"


def _files() -> list[Path]:
    return sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            # `from connector import report` names a module of the package.
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "connector" else {module}
    return found


def test_every_part_of_the_core_has_its_row() -> None:
    parts = {_part(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in _files()}
    assert parts == set(TABLE)


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_what_its_row_allows(path: Path) -> None:
    own = _part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert own is not None
    for module in _imports(path):
        part = _part(module)
        if part == "__init__.py":
            raise AssertionError(f"{path} imports the package itself; import the module that is meant")
        assert part is None or part == own or part in TABLE[own], f"{path} imports {module}"


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{path}, line {inner[0].lineno}"


def test_only_one_room_knows_the_http_library() -> None:
    knowing = {path for path in _files() if "httpx" in {name.split(".")[0] for name in _imports(path)}}
    assert knowing == {CORE / "http.py"}


def test_the_core_has_no_provider_in_it() -> None:
    words = re.compile(r"sinch|\bxms\b|service.?plan|bloomreach", re.IGNORECASE)
    plugins = {path.name for path in (ROOT / "plugins").iterdir()}
    for path in _files():
        assert not words.search(path.read_text()), f"{path} has a provider's word"
        assert not {name.split(".")[0] for name in _imports(path)} & plugins, f"{path} imports a plugin"
