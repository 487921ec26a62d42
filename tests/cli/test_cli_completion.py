"""Shell completion: what the Tab key brings, and that it leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import Desk
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from connector.cli.completion import PROGRAM, VARIABLE
from connector.cli.main import cli


def complete(*words: str) -> dict[str, str]:
    """What the last word may become, and what is said of it."""
    found = ShellComplete(cli, {}, PROGRAM, VARIABLE).get_completions([*words[:-1]], words[-1])
    return {item.value: item.help or "" for item in found}


def test_commands_and_options() -> None:
    assert set(complete("rep")) == {"replay", "report"}
    assert "--campaign" in complete("report", "--c")
    assert set(complete("storage", "")) == {"upgrade"}


def test_dispatches_by_id_and_key_and_campaigns_by_name(desk: Desk) -> None:
    desk.people(2)
    first = desk.send("--key", "opening-2026")["dispatch"]
    desk.people(3)
    second = desk.send()["dispatch"]
    names = complete("report", "")
    assert set(names) == {first, second, "opening-2026"}
    assert names[first].startswith("opening, ")
    assert set(complete("status", first[:6])) == {first}
    assert set(complete("report", "--campaign", "")) == {"opening"}
    assert set(complete("events", "--dispatch", "open")) == {"opening-2026"}
    for command in ("status", "pause", "resume", "cancel", "retry", "poll"):
        assert set(complete(command, "")) == set(names), command


def test_the_ledger_of_the_configuration_that_is_named(desk: Desk) -> None:
    desk.people(2)
    desk.configure(storage={"url": "sqlite:///elsewhere.db"})
    dispatch = desk.send()["dispatch"]
    (desk.folder / "connector.toml").rename(desk.folder / "other.toml")
    assert complete("report", "") == {}
    assert set(complete("--config", "other.toml", "report", "")) == {dispatch}


def test_codes_and_providers() -> None:
    assert {"402", "http:402"} - set(complete("explain", "")) == set()
    assert set(complete("explain", "syntax_invalid_j")) == {"syntax_invalid_json"}
    assert complete("explain", "report:402")["report:402"] == "No route leads to this number."
    assert set(complete("simulate", "sin")) == {"sinch-conversation", "sinch-sms"}


@pytest.mark.parametrize(
    "configuration", [None, "no [TOML", "[storage]\nurl = 7\n", '[storage]\nurl = "ftp://x"\n', ""]
)
def test_where_nothing_is_known_nothing_is_said_or_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], configuration: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if configuration is not None:
        (tmp_path / "connector.toml").write_text(configuration)
    before = list(tmp_path.iterdir())
    assert complete("report", "") == {}
    assert list(tmp_path.iterdir()) == before
    assert capfd.readouterr() == ("", "")


def test_a_ledger_that_is_no_ledger_is_none(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.write("connector.db", "nothing of this kind" * 300)
    assert complete("report", "") == {}
    assert capfd.readouterr() == ("", "")


def test_a_ledger_in_use_is_read_and_one_that_is_not_stays_alone(desk: Desk) -> None:
    desk.people(2)
    dispatch = desk.send()["dispatch"]
    quiet = sorted(desk.folder.iterdir())
    assert set(complete("report", "")) == {dispatch}
    assert sorted(desk.folder.iterdir()) == quiet
    with desk.start("serve", "--port", "0") as serving:
        assert serving.line().startswith("Listening")
        assert (desk.folder / "connector.db-wal").exists()
        assert set(complete("report", "")) == {dispatch}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell_asks_this_program(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell], prog_name=PROGRAM)
    assert result.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in result.stdout
    assert "connector completion " + shell in CliRunner().invoke(cli, ["completion", "--help"]).stdout


def test_files_are_left_to_the_shell(desk: Desk) -> None:
    for words in (("send", "spr"), ("send", "campaign.toml", "--recipients", "kund"), ("send", "--recipients", "")):
        (item,) = ShellComplete(cli, {}, PROGRAM, VARIABLE).get_completions([*words[:-1]], words[-1])
        assert (item.type, item.value) == ("file", words[-1])
    assert "--recipients" in complete("send", "--rec")


def test_accounts_of_the_ledger(desk: Desk) -> None:
    assert complete("rate", "") == {}
    desk.people(2)
    desk.send()
    (account,) = complete("rate", "")
    assert ":" in account
    assert set(complete("rate", account[:-1])) == {account}
    assert complete("rate", "nobody:") == {}


IN_BASH = """
eval "$(connector completion bash)"
COMP_WORDS=(connector report "") COMP_CWORD=2
_connector_completion connector
echo "${COMPREPLY[@]}"
"""


def in_bash(desk: Desk, script: str) -> str:
    """What a script in bash prints, where `connector` is this program."""
    program = desk.folder / "connector"
    program.write_text(f"#!{sys.executable}\nfrom connector.cli.main import main\nmain()\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{desk.folder}:{os.environ['PATH']}"}
    told = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    return told.stdout


def test_bash_completes(desk: Desk) -> None:
    desk.people(2)
    dispatch = desk.send()["dispatch"]
    assert in_bash(desk, IN_BASH) == f"{dispatch}\n"


COLONS_AND_FILES_IN_BASH = """
eval "$(connector completion bash)"
compopt() { echo "compopt $1 $2"; }
tab() {
    COMP_WORDS=(connector "$@") COMP_CWORD=$# COMPREPLY=()
    _connector_completion connector
    echo "${COMPREPLY[*]}"
}
tab rate ACC
tab rate ACCOUNT :
tab rate ACCOUNT : TAIL
tab explain report : 40
COMP_WORDBREAKS=" "
tab rate ACCOUNT:TAIL
tab send spr
tab send campaign.toml --recipients "my kund"
"""


def test_bash_completes_names_with_colons_and_files(desk: Desk) -> None:
    desk.people(2)
    desk.send()
    (account,) = complete("rate", "")
    before, after = account.split(":")
    script = COLONS_AND_FILES_IN_BASH.replace("ACCOUNT", before).replace("ACC", before[:3]).replace("TAIL", after[:2])
    first, second, third, numbers, whole, *files = in_bash(desk, script).splitlines()
    assert (first, second, third, whole) == (account, after, after, account)
    assert "402" in numbers.split()
    assert files == ["compopt -o default", ""] * 2


def test_a_full_disk_under_the_output_is_said(desk: Desk) -> None:
    desk.people(2)
    desk.send()
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [sys.executable, "-c", "from connector.cli.main import main; main()", "events"],
            env={**os.environ, **desk.environment},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr == "Error: There is no space left where the output goes.\n"
