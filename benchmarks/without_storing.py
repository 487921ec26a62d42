"""The server that `connector serve` runs, but it only checks the signature of a callback, and answers 200.

    python benchmarks/without_storing.py CONFIG

Nothing is read or stored. Prints its callback address as `connector serve --json` does.
"""

import gc
import json
import sys

from connector import Connector
from connector.model.callback import Request, Response, Verdict
from connector.server.serve import listen, serve
from connector.tracking import callbacks
from connector.tracking.edge import Edge


def main(config: str) -> None:
    # As the command line does.
    gc.freeze()
    with listen("127.0.0.1", 0) as listening, Connector.from_config(config) as connector:
        connector.prepare()
        providers = {line.integration_id: line.provider for line in connector.lines.values()}

        def read(request: Request) -> Response:
            place = callbacks.address(request.path)
            if place is None or place[0] not in providers:
                return callbacks.NOT_HERE
            now_seconds = connector.desk.clock().timestamp()
            verdict = providers[place[0]].verify(request, now_seconds=now_seconds)
            return callbacks.STORED if verdict is Verdict.genuine else callbacks.FORGED

        connector.asgi = Edge(read, lambda: connector.recorder, is_ready=lambda: True, prepare=connector.prepare)
        told = {"url": f"http://127.0.0.1:{listening.getsockname()[1]}", "callbacks": connector.callback_addresses()}
        serve(connector, listening, ready=lambda: print(json.dumps(told), flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
