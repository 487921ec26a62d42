"""The server's ASGI application: callbacks, health, and how the ledger does."""

import asyncio

from connector.connector import Connector
from connector.ledger.tables import WhyKept
from connector.model.callback import Response
from connector.model.errors import ConnectorError
from connector.tracking.edge import Receive, Scope, Send, path_of, respond


class Server:
    """Callbacks at `/webhooks/`, liveness at `/healthz`, readiness at `/readyz`, counts at `/metrics`."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._pages = {"/healthz": self._health, "/readyz": self._ready, "/metrics": self._metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._pages.get(path_of(scope)) if scope["type"] == "http" else None
        if page is None:
            await self._connector.asgi(scope, receive, send)
        else:
            # The ledger may be slow, and callbacks must not wait for it.
            await respond(send, await asyncio.to_thread(page))

    @staticmethod
    def _health() -> Response:
        return Response(200, b"ok\n")

    def _ready(self) -> Response:
        try:
            self._connector.accounts()
        except ConnectorError as error:
            return Response(503, f"{error}\n".encode())
        return Response(200, b"ready\n")

    def _metrics(self) -> Response:
        """Prometheus' text format."""
        try:
            counted = self._connector.counters()
            unmatched = self._connector.kept(WhyKept.unmatched)
            draining = self._connector.worker_is_running()
            silences = self._connector.silences()
            sinks = [each for each in self._connector.sinks() if each.is_configured]
        except ConnectorError as error:
            return Response(503, f"{error}\n".encode())
        lines = [
            "# HELP connector_reports_total Reports that made no event, by integration and what they were.",
            "# TYPE connector_reports_total counter",
            *(
                f'connector_reports_total{{integration="{_label(integration)}",what="{_label(what)}"}} {times}'
                for integration, counts in sorted(counted.items())
                for what, times in sorted(counts.items())
            ),
            "# HELP connector_unmatched_reports Reports that match nothing yet.",
            "# TYPE connector_unmatched_reports gauge",
            f"connector_unmatched_reports {unmatched}",
            "# HELP connector_worker_running Whether a process drains the ledger.",
            "# TYPE connector_worker_running gauge",
            f"connector_worker_running {int(draining)}",
            "# HELP connector_silent_messages Accepted messages of integrations on which no report comes any more.",
            "# TYPE connector_silent_messages gauge",
            *(
                f'connector_silent_messages{{integration="{_label(each.integration)}"}} {each.messages}'
                for each in silences
            ),
            "# HELP connector_sink_waiting_events Events that a sink has still to take.",
            "# TYPE connector_sink_waiting_events gauge",
            *(f'connector_sink_waiting_events{{sink="{_label(each.name)}"}} {each.lag}' for each in sinks),
            "# HELP connector_sink_replaying_events Events that a sink has still to take once more, after a replay.",
            "# TYPE connector_sink_replaying_events gauge",
            *(
                f'connector_sink_replaying_events{{sink="{_label(each.name)}"}} {each.again + each.replaying}'
                for each in sinks
            ),
            "# HELP connector_sink_refused_events Events that a sink refused for good.",
            "# TYPE connector_sink_refused_events gauge",
            *(f'connector_sink_refused_events{{sink="{_label(each.name)}"}} {each.dead_letters}' for each in sinks),
            "# HELP connector_sink_failures How often in a row a sink has failed to take the next events.",
            "# TYPE connector_sink_failures gauge",
            *(f'connector_sink_failures{{sink="{_label(each.name)}"}} {each.failures}' for each in sinks),
            "# HELP connector_sink_stopped Whether a sink waits for a person.",
            "# TYPE connector_sink_stopped gauge",
            *(f'connector_sink_stopped{{sink="{_label(each.name)}"}} {int(each.is_stopped)}' for each in sinks),
        ]
        return Response(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4; charset=utf-8")


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
