"""What an installation brings, seen from another directory."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _from_elsewhere(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_only_the_packages_are_importable(tmp_path: Path) -> None:
    code = (
        "from importlib.util import find_spec\n"
        "print([name for name in ('connector', 'connector_sinch', 'plugins', 'schemas', 'tests', 'benchmarks')"
        " if find_spec(name)])"
    )
    assert _from_elsewhere(code, tmp_path) == "['connector', 'connector_sinch']\n"


def test_every_package_is_typed_and_packaged() -> None:
    packages = [ROOT / "connector", *(path for path in (ROOT / "plugins").iterdir() if path.is_dir())]
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(named) == sorted(str(path.relative_to(ROOT)) for path in packages)
    assert all((path / "py.typed").exists() for path in packages)


def test_the_core_finds_plugins_and_simulators_by_entry_point_alone(tmp_path: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["entry-points"]
    for group, entries in declared.items():
        assert {entry.name for entry in entry_points(group=group)} == set(entries)
    code = "import sys, connector\nprint([name for name in sys.modules if name.startswith('connector_')])"
    assert _from_elsewhere(code, tmp_path) == "[]\n"


def test_production_never_imports_a_simulator(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom connector import Connector\n"
        "connector = Connector({'integrations': {'a': {'provider': 'sinch-sms', 'service_plan_id': 'p',"
        " 'api_token': 'env:TOKEN', 'region': 'eu'}}})\nconnector.prepare()\nconnector.close()\n"
        "print([name for name in sys.modules if 'simulat' in name])"
    )
    assert _from_elsewhere(code, tmp_path) == "[]\n"
