"""The tutorial's plugin as it is written: installed from its page, it keeps the contract, and is known."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text()
BLOCKS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
MOST_LINES = 150


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """What an installer makes of the page's folder and lines."""
    (toml,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    written = tomllib.loads(toml)
    (package,) = written["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / "letters.py").write_text(BLOCKS["letters.py"])
    (tmp_path / "test_letters.py").write_text(BLOCKS["test_letters.py"])
    about = tmp_path / "letters-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: letters\nVersion: 1.0\n")
    entries = written["project"]["entry-points"]["connector.plugins"]
    lines = "\n".join(f"{name} = {target}" for name, target in entries.items())
    (about / "entry_points.txt").write_text(f"[connector.plugins]\n{lines}\n")
    return tmp_path


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, *words], cwd=site, env=environment, capture_output=True, text=True)


def test_the_plugin_keeps_the_contract(site: Path) -> None:
    tried = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_letters.py")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "skipped" not in tried.stdout


def test_the_contract_finds_what_is_broken(site: Path) -> None:
    code = site / "connector_letters" / "letters.py"
    written = code.read_text()
    broken = {
        "does_not_send_late": (", before_write=batch.attempt.deadline.check", ""),
        "is_no_refusal": ('return InDoubt(f"The office', 'return Refused(Scope.unknown, 500, f"The office'),
        "never_says_absent": (
            "return Found(FoundState.cannot_tell, cause=str(error))",
            "return Found(FoundState.absent)",
        ),
        "a_changed_one_is_not": ("return Verdict.genuine if same else Verdict.forged", "return Verdict.genuine"),
        "raises_nothing": ("except (ValueError, KeyError, TypeError)", "except ValueError"),
        "fails_nobody": ("if answer.status == 429", "if answer.status == 999"),
        "leaves_it_in_doubt": ("return InDoubt(str(error))", "return Refused(Scope.unknown, 400)"),
    }
    for right, wrong in broken.values():
        assert written.count(right) == 1, right
        written = written.replace(right, wrong)
    code.write_text(written)
    tried = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_letters.py")
    failed = [line for line in tried.stdout.splitlines() if line.startswith("FAILED")]
    assert [rule for rule in broken if not any(rule in line for line in failed)] == []


def test_the_connector_knows_it(site: Path) -> None:
    listed = run(site, "-c", "from connector.cli.main import main; main()", "plugins", "--json")
    assert "letters" in json.dumps(json.loads(listed.stdout))


def test_it_is_short() -> None:
    assert len(BLOCKS["letters.py"].splitlines()) < MOST_LINES
