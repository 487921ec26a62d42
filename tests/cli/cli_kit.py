"""A folder with a configuration, a campaign and recipients, and the command line to use them by."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from click.testing import CliRunner, Result
from connector_sinch.sms.simulator import SmsSimulator

from connector.cli.main import cli
from connector.simulator import configuration
from connector.simulator.numbers import fictional_numbers

END_SECONDS = 120
SIMULATOR = SmsSimulator()
CAMPAIGN = """
id = "cmp-7"
name = "opening"
sender = "Bookshop"

[message]
text = "Hi ${name}, we open on Monday."
"""


class Process(AbstractContextManager["Process"]):
    """A command in a process of its own, which ends with the block at the latest."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            # As the console script starts it.
            [sys.executable, "-c", "from connector.cli.main import main; main()", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def line(self) -> str:
        """The next line of standard output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def line_of_errors(self) -> str:
        """The next line of standard error."""
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def hang_up(self) -> str:
        """Stop reading its standard output, and wait for its end; standard error."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        err = self._process.stderr.read()
        self._process.wait(END_SECONDS)
        return err

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def interrupt_until_ended(self) -> int:
        """Press Ctrl-C until it is gone; its exit status."""
        while self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        return self._process.returncode

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit status, the rest of standard output, standard error."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        # Not by communicate, which misses what was read ahead of a line.
        with ThreadPoolExecutor(1) as beside:
            err = beside.submit(self._process.stderr.read)
            out = self._process.stdout.read()
            return self._process.wait(END_SECONDS), out, err.result()


@dataclass
class Desk:
    """Somebody's folder, and the simulator that its configuration points at."""

    folder: Path
    base_url: str
    options: Any
    http: httpx.Client
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, **tables: dict[str, Any]) -> None:
        """Write the configuration: the simulator's, and tables by their names."""
        text = configuration(SIMULATOR, self.base_url, self.options)
        for name, values in tables.items():
            lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
            text += "\n".join(["", f"[{name}]", *lines, ""])
        (self.folder / "connector.toml").write_text(text)

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file into the folder; its name."""
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(data)
        return name

    def people(self, count: int, *, senders: bool = False) -> str:
        """Write recipients; with `senders`, each makes a batch of its own. The file's name."""
        numbers = fictional_numbers()
        rows = ["to,customer_id,name" + (",sender" if senders else "")]
        for place in range(count):
            rows.append(f"+{next(numbers)},c-{place},Reader {place}" + (f",Shop {place:02}" if senders else ""))
        return self.write("people.csv", "\n".join(rows) + "\n")

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run a command in this process."""
        return CliRunner(env=self.environment).invoke(cli, arguments, **options)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run a command with `--json`, and check its exit status; the one document on standard output."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def send(self, *arguments: str, status: int = 0) -> Any:
        """Send `people.csv`, and check the exit status; the report."""
        return self.json("send", "campaign.toml", "--recipients", "people.csv", *arguments, status=status)

    def start(self, *arguments: str) -> Process:
        """Run a command in a process of its own."""
        return Process(self.folder, self.environment, *arguments)

    def account(self) -> dict[str, Any]:
        """The simulator's own account."""
        account: dict[str, Any] = self.http.get("/_simulator/account").json()
        return account

    def ask(self, what: str, content: dict[str, Any] | None = None) -> None:
        """Tell the simulator something, or wait for it to come to something."""
        answer = (
            self.http.get(f"/_simulator/{what}")
            if content is None
            else self.http.post(f"/_simulator/{what}", json=content)
        )
        assert answer.is_success, answer.text
