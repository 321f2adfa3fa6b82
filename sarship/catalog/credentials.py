"""Credentials of a provider: from environment variables, `~/.netrc`, or a file that only its owner can read.

They are looked for in this order. A value travels as a `Secret`, which shows nothing of itself in messages, logs,
tables or tracebacks; `reveal` gives it to the one call that sends it.
"""

from __future__ import annotations

import json
import netrc
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sarship.download.secret import Secret
from sarship.errors import CredentialError, OutputError
from sarship.files import write_file

__all__ = ["Account", "Secret", "credentials_file", "find_credentials", "forget_credentials", "store_credentials"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Fields of a provider's account, and the places where they may be found."""

    provider: str
    """Name of the provider, as in `sarship login PROVIDER`."""
    variables: Mapping[str, str]
    """Field → environment variable, e.g. `{"user": "CDSE_USER", "password": "CDSE_PASSWORD"}`."""
    machine: str = ""
    """Host whose entry in `~/.netrc` has the fields `user` and `password`; empty if there is none."""
    bearer: str = ""
    """Environment variable that may hold a token of the account instead; empty if there is none."""
    code: str = ""
    """Environment variable for the code of a two-factor login, which is too short-lived to store; empty if none."""


def credentials_file() -> Path:
    """Return the file that `store_credentials` writes, in the user's folder for configuration."""
    if sys.platform == "win32":
        home = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "sarship" / "credentials.json"


def find_credentials(account: Account) -> dict[str, Secret]:
    """Return the credentials of an account: all fields from one place, never mixed.

    Returns
    -------
    dict
        Field → value, for every field of `account.variables`.

    Raises
    ------
    CredentialError
        If they are nowhere to be found, only some variables are set, or a file of them can be read by others.
    """
    found = {field: Secret(os.environ.get(name, "")) for field, name in account.variables.items()}
    missing = [name for field, name in account.variables.items() if not found[field]]
    if not missing:
        return found
    if len(missing) < len(found):
        raise CredentialError(
            f"{account.provider}: {' and '.join(missing)} not set, though other variables of the account are; "
            "set all of them or none"
        )
    for look in (_from_netrc, _from_file):
        if (values := look(account)) is not None:
            return values
    machine = f", give {account.machine} an entry in ~/.netrc" if account.machine else ""
    raise CredentialError(
        f"{account.provider} needs an account: set {' and '.join(missing)}{machine}, "
        f"or run `sarship login {account.provider}`"
    )


def store_credentials(provider: str, values: Mapping[str, Secret]) -> Path:
    """Store credentials in a file that only its owner can read, whole or not at all.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CredentialError
        If the file cannot be written, or is damaged.
    """
    path = credentials_file()
    return _write(path, _read(path) | {provider: dict(values)})


def forget_credentials(provider: str) -> bool:
    """Remove the stored credentials of a provider; return True if there were any."""
    path = credentials_file()
    stored = _read(path)
    if provider not in stored:
        return False
    _write(path, {name: values for name, values in stored.items() if name != provider})
    return True


def _from_netrc(account: Account) -> dict[str, Secret] | None:
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not account.machine or set(account.variables) != {"user", "password"} or not path.is_file():
        return None
    try:
        hosts = netrc.netrc(str(path)).hosts
        entry = [Secret(value) for value in hosts[account.machine]] if account.machine in hosts else None
        del hosts
    except (netrc.NetrcParseError, UnicodeDecodeError):
        raise CredentialError(f"{path} is not a netrc file that can be read; look for an unfinished entry") from None
    except OSError as error:
        raise CredentialError(f"{path} cannot be read ({error.strerror}); make it yours with chmod 600") from None
    if entry is None:
        return None
    _check_private(path)
    return {"user": entry[0], "password": entry[2]}


def _from_file(account: Account) -> dict[str, Secret] | None:
    path = credentials_file()
    values = _read(path).get(account.provider)
    if values is None:
        return None
    if missing := set(account.variables) - {field for field, value in values.items() if isinstance(value, str)}:
        raise CredentialError(
            f"{path} has no {' and '.join(sorted(missing))} of {account.provider}; "
            f"run `sarship login {account.provider}` again"
        )
    return {field: values[field] for field in account.variables}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    _check_private(path)
    try:
        if (values := _fields(json.loads(path.read_bytes(), object_hook=_hidden))) is not None:
            return values
    except ValueError:
        pass
    except OSError as error:
        raise CredentialError(f"{path} cannot be read ({error.strerror}); make it yours with chmod 600") from None
    raise CredentialError(f"{path} is damaged; delete it and run `sarship login` again")


def _hidden(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a JSON file with its texts as secrets."""
    return {name: Secret(value) if isinstance(value, str) else value for name, value in fields.items()}


def _fields(stored: object) -> dict[str, Any] | None:
    """Return what a file of accounts holds; None of another file."""
    is_sound = isinstance(stored, dict) and all(isinstance(fields, dict) for fields in stored.values())
    return cast("dict[str, Any]", stored) if is_sound else None


def _check_private(path: Path) -> None:
    """Credentials that others can read are no secret; Windows keeps a user's folder private by itself."""
    if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CredentialError(f"{path} can be read by others, so it was not used; run chmod 600 {path}")


def _write(path: Path, values: Mapping[str, Any]) -> Path:
    """Write the file so that only its owner can read it, from its first byte on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return write_file(path, json.dumps(values, indent=1).encode(), mode=0o600, remedy="use environment variables")
    except OutputError as error:
        raise CredentialError(str(error)) from None
    except OSError as error:
        raise CredentialError(f"{path} cannot be written ({error.strerror}); use environment variables") from None
