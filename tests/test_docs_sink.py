"""The documented sink is as short as it should be, and keeps the documented contract, as a reader would try it."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "sinks.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MOST_LINES = 60


def test_the_sink_keeps_the_contract(tmp_path: Path) -> None:
    (sink,) = (block for block in BLOCKS if "class Table(Sink)" in block)
    (tests,) = (block for block in BLOCKS if block.startswith("# test_table.py\n"))
    (tmp_path / "table.py").write_text(sink.partition("with simulated(")[0])
    (tmp_path / "test_table.py").write_text(tests)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_table.py"]
    tried = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "skipped" not in tried.stdout


def test_it_is_short() -> None:
    (sink,) = (block for block in BLOCKS if "class Table(Sink)" in block)
    assert len(sink.splitlines()) < MOST_LINES
