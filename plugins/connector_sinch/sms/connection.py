"""The SMS API as one integration reaches it: its host, its paths, its credentials."""

import threading
from urllib.parse import quote

from connector.http import Client, ClientCredentials, Http
from connector.model.errors import ConfigurationError, ReadFailed
from connector_sinch.sms.settings import SmsSettings


class Connection:
    """Clients for the credentials as they are now, so that changed ones need no new start.

    A service plan has an API token for ever; a project's access key fetches tokens that last an hour.
    """

    def __init__(self, settings: SmsSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._base_path = f"/xms/v1/{quote(settings.account_id, safe='')}"
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._api_token: str | None = None
        self._credentials: ClientCredentials | None = None

    def path(self, *parts: str) -> str:
        """A path of the service plan or project; `parts` may be anything."""
        return "/".join((self._base_path, *(quote(part, safe="") for part in parts)))

    def sender(self) -> Client:
        """The client to send with. Raises `ConfigurationError` when the API token can't be read or used."""
        if self._settings.api_token is None:
            return self._of_project()
        token = self._settings.api_token.value()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigurationError(
                "The api_token is empty or has characters that no token has (a line end, a space?): copy it anew."
            )
        with self._lock:
            if self._client is None or token != self._api_token:
                self._api_token = token
                self._client = self._http.client(
                    self._settings.url,
                    headers={"authorization": f"Bearer {token}"},
                    timeout_seconds=self._settings.request_timeout_seconds,
                )
            return self._client

    def reader(self) -> Client:
        """The client to ask with. Raises `ReadFailed` when the API token can't be read or used."""
        try:
            return self.sender()
        except ConfigurationError as error:
            raise ReadFailed(str(error)) from error

    def _of_project(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._http.client(
                    self._settings.url,
                    credentials=self._access_key(),
                    timeout_seconds=self._settings.request_timeout_seconds,
                )
            return self._client

    def credentials(self) -> ClientCredentials | None:
        """What fetches a project's tokens; None for a service plan."""
        if self._settings.key_secret is None:
            return None
        with self._lock:
            return self._access_key()

    def _access_key(self) -> ClientCredentials:
        settings = self._settings
        if self._credentials is None:
            if settings.key_id is None or settings.key_secret is None:
                raise ConfigurationError("The integration has neither an api_token nor an access key.")
            self._credentials = self._http.client_credentials(
                settings.token_url,
                settings.key_id,
                settings.key_secret.value,
                timeout_seconds=settings.request_timeout_seconds,
            )
        return self._credentials
