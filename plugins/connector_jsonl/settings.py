"""Settings of a file of events."""

from typing import Annotated

from pydantic import Field

from connector.extension.neutral import NeutralSettings


class JsonLinesSettings(NeutralSettings):
    """A file that gets a line of JSON for each event."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            title="Path",
            description='The file, whose folder exists; relative to the current directory. "-": standard output.',
            examples=["events.jsonl"],
        ),
    ]
    max_megabytes: Annotated[
        float,
        Field(
            gt=0,
            title="Megabytes at most",
            description="A file that has grown so long gets the time into its name, and a new one is begun.",
        ),
    ] = 100.0
