"""`connector schema`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.schema import schema


def test_without_a_name_the_configuration_is_printed() -> None:
    result = CliRunner().invoke(schema, [])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["$id"] == "urn:campaign-connector:schema:configuration"


@pytest.mark.parametrize("name", ["campaign", "campaign.json"])
def test_by_name(name: str) -> None:
    result = CliRunner().invoke(schema, [name])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "Campaign"


def test_an_unknown_name_is_an_error_of_usage() -> None:
    result = CliRunner().invoke(schema, ["campain"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert 'did you mean "campaign"?' in " ".join(result.stderr.replace("│", " ").split())


def test_all_are_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(schema, ["--write", str(tmp_path / "new" / "folder")])
    assert result.exit_code == 0
    written = sorted((tmp_path / "new" / "folder").iterdir())
    assert sorted(result.stdout.splitlines()) == [str(path) for path in written]
    assert {"configuration.json", "campaign.json"} <= {path.name for path in written}
    for path in written:
        assert path.read_bytes().endswith(b"}\n")
        assert json.loads(path.read_bytes())["$id"].endswith(path.name.removesuffix(".json"))


def test_one_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(schema, ["campaign", "--write", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"written": [str(tmp_path / "campaign.json")]}
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.json"]
