"""Reading secrets where the configuration says they are."""

import importlib
import os
from pathlib import Path

from connector.model.errors import ConfigurationError

KEYRING_SERVICE = "campaign-connector"


def read_secret(reference: str) -> str:
    """The secret behind `env:NAME`, `file:PATH` or `keyring:NAME`.

    A relative PATH starts at the current directory, and one line end at the end of the file is not part of the
    secret. The keyring is asked for NAME of the service `campaign-connector`.

    Raises `ConfigurationError`, which names the place and never what stands there.
    """
    kind, _, name = reference.partition(":")
    if not name or kind not in _READERS:
        # What stands here may be the secret itself.
        raise ConfigurationError("A secret is given as env:NAME, file:PATH or keyring:NAME.")
    secret, problem = _READERS[kind](name)
    if not secret:
        raise ConfigurationError(problem)
    return secret


def keyring_is_there() -> bool:
    """Whether this machine has a keyring that secrets can be kept in."""
    try:
        backend = importlib.import_module("keyring").get_keyring()
        # Backends that only fail, or keep nothing, say so by their priority.
        return bool(backend.priority > 0)
    except Exception:
        return False


def keep_in_keyring(name: str, secret: str) -> None:
    """Put a secret where `keyring:NAME` finds it. Raises `ConfigurationError`."""
    problem = None
    try:
        importlib.import_module("keyring").set_password(KEYRING_SERVICE, name, secret)
    except Exception as error:
        problem = f"The keyring did not take the secret {name} ({type(error).__name__})."
    if problem is not None:
        raise ConfigurationError(problem)


# The readers return what went wrong instead of raising from their except blocks: an exception of a library that
# hangs on ours as its context may hold the bytes that it could not read.


def _from_environment(name: str) -> tuple[str, str]:
    state = "is empty" if name in os.environ else "is not set"
    return os.environ.get(name, ""), f"The environment variable {name} {state}: it should hold a secret."


def _from_file(name: str) -> tuple[str, str]:
    try:
        secret = Path(name).read_bytes().decode()
    except FileNotFoundError:
        return "", f"There is no file {name}: it should hold a secret."
    except UnicodeDecodeError:
        return "", f"The file {name} is not UTF-8 text: it should hold a secret."
    except OSError as error:
        return "", f"The file {name}, which should hold a secret, can't be read ({error.strerror})."
    return secret.removesuffix("\n").removesuffix("\r"), f"The file {name} is empty: it should hold a secret."


def _from_keyring(name: str) -> tuple[str, str]:
    try:
        # Optional, and slow to import: only who keeps secrets there pays for it.
        keyring = importlib.import_module("keyring")
    except ModuleNotFoundError:
        return "", (
            f"The secret keyring:{name} needs the keyring package: pip install 'campaign-connector[keyring]', "
            f"or give env:NAME or file:PATH."
        )
    try:
        secret = keyring.get_password(KEYRING_SERVICE, name)
    except Exception as error:
        return "", f"The keyring can't be asked for {name} ({type(error).__name__})."
    return secret or "", (
        f"The keyring holds no {name} for {KEYRING_SERVICE}: keyring set {KEYRING_SERVICE} {name} puts it there."
    )


_READERS = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}
