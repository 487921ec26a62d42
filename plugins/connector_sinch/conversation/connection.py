"""The Conversation API as one integration reaches it: its three hosts, its paths, one token for all of them."""

import threading
from functools import cached_property
from urllib.parse import quote

from connector.extension import Integration
from connector.http import Client, ClientCredentials, Http
from connector_sinch.conversation.settings import ConversationSettings


class Connection:
    """Clients of the API's hosts; they share one access token, and are made when they are first used."""

    def __init__(self, integration: Integration, http: Http) -> None:
        self.settings: ConversationSettings = integration.settings
        self._http = http
        self._lock = threading.RLock()
        self._clients: dict[str, Client] = {}
        self.project = f"/v1/projects/{quote(self.settings.project_id, safe='')}"
        """What paths begin with on the API's own host and on that of batches."""
        self.template_project = f"/v2/projects/{quote(self.settings.project_id, safe='')}"
        """What paths begin with on the host of templates."""

    @property
    def api(self) -> Client:
        """The Conversation API itself."""
        return self._client(self.settings.url)

    @property
    def batches(self) -> Client:
        """The Batch API."""
        return self._client(self.settings.batch_url)

    @property
    def templates(self) -> Client:
        """The Template Management API."""
        return self._client(self.settings.template_url)

    def path(self, *parts: str) -> str:
        """A path of the project; `parts` may be anything."""
        return "/".join((self.project, *(quote(part, safe=":") for part in parts)))

    @cached_property
    def credentials(self) -> ClientCredentials:
        """What fetches the access tokens."""
        settings = self.settings
        return self._http.client_credentials(
            settings.token_url,
            settings.key_id,
            settings.key_secret.value,
            timeout_seconds=settings.request_timeout_seconds,
        )

    def _client(self, url: str) -> Client:
        with self._lock:
            if url not in self._clients:
                self._clients[url] = self._http.client(
                    url, credentials=self.credentials, timeout_seconds=self.settings.request_timeout_seconds
                )
            return self._clients[url]
