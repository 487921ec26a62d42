"""The file that `setup` changes: nothing else in it changes, and there is always the old or the new one."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from connector.cli import toml_file
from connector.model.errors import ConnectorError

MADE: list[toml_file.Change] = [
    (("integrations", "c", "provider"), "z"),
    (("integrations", "c", "pace"), 3),
    (("integrations", "a", "region"), "eu"),
    (("server", "public_url"), "http://x"),
    (("senders", "my shop", "value"), "Shop"),
]
LAYOUTS = {
    "none": "",
    "a comment": "# nothing\n",
    "in order": "# top\n[integrations.a] # one\nold = 1 # two\n\n# three\n[server]\nport = 1 # four\n# five\n",
    "out of order": "[integrations.a]\nold = 1 # one\n[server]\nport = 1\n[integrations.b]\nx = 1 # two\n",
    "inline": "server = {port = 1} # one\nsenders = {}\n[integrations]\na = {old = 1}\n",
    "dotted": "integrations.a.old = 1 # one\nserver.port = 1 # two\n",
    "with its own header": "[integrations] # one\n[integrations.a]\nold = 1\n[tracking]\nx = 1\n",
    "without a last line end": "[server]\nport = 1 # one",
    "an empty table": "[server]\n[senders] # one\n[integrations.a]\n",
    "Windows": "# one\r\n[server]\r\nport = 1 # two\r\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_however_a_file_is_laid_out(text: str) -> None:
    made = [*MADE, (("integrations", "a", "old"), None)] if "old" in text else MADE
    new = toml_file.edited(text, made, source="connector.toml")
    document = tomllib.loads(new)
    assert document["integrations"]["c"] == {"provider": "z", "pace": 3}
    assert document["integrations"]["a"] == {"region": "eu"}
    assert document["server"]["public_url"] == "http://x"
    assert document["server"].get("port", 1) == tomllib.loads(text).get("server", {}).get("port", 1)
    assert document["senders"] == {"my shop": {"value": "Shop"}}
    comments = [line.rpartition("#")[2] for line in text.splitlines() if "#" in line and "old" not in line]
    assert [comment for comment in comments if comment not in new] == []


def test_the_changes_between_two_documents() -> None:
    old = {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    new = {"a": {"x": 1, "w": [1]}, "b": {"z": 3}, "c": {"d": {"e": 4}}}
    assert list(toml_file.changes(old, new)) == [(("a", "y"), None), (("a", "w"), [1]), (("c", "d", "e"), 4)]


def test_what_somebody_else_saved_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    path.write_text("# theirs\n")
    for read in ("# mine\n", None):
        with pytest.raises(ConnectorError, match="changed by somebody else"):
            toml_file.save(path, "# new\n", instead_of=read)
    assert [each.name for each in tmp_path.iterdir()] == ["connector.toml"]
    assert path.read_text() == "# theirs\n"


def test_a_link_stays_one_and_so_do_the_rights(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("# old\n")
    real.chmod(0o640)
    link = tmp_path / "connector.toml"
    link.symlink_to(real)
    toml_file.save(link, "# new\n", instead_of="# old\n")
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("# new\n", 0o640)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="can't be written"):
        toml_file.save(tmp_path / "no" / "connector.toml", "# new\n", instead_of=None)


# The process is ended before the n-th time that it touches anything in the folder, for every n.
KILLED = """
import os, sys
from pathlib import Path
from connector.cli import toml_file

path = Path(sys.argv[1])
for moment in range(100):
    path.write_text("old")
    child = os.fork()
    if not child:
        touched = 0

        def watch(event, arguments):
            global touched
            if any(str(path.parent) in str(each) for each in arguments):
                if touched == moment:
                    os._exit(9)
                touched += 1

        sys.addaudithook(watch)
        toml_file.save(path, "new", instead_of="old")
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, path.read_text())
    if not ended:
        break
"""


def test_killed_at_any_moment_there_is_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    *before, last = killed.stdout.split("\n")[:-1]
    assert last == "0 new"
    assert set(before) == {"9 old", "9 new"}
