"""Where credentials come from, and that they stay where they are."""

from __future__ import annotations

import json
import os
import pickle
import stat
import traceback

import pytest

from sarship.catalog.credentials import (
    Account,
    Secret,
    credentials_file,
    find_credentials,
    forget_credentials,
    store_credentials,
)
from sarship.errors import CredentialError

CDSE = Account(
    provider="cdse",
    variables={"user": "SARSHIP_TEST_USER", "password": "SARSHIP_TEST_PASSWORD"},
    machine="example.org",
)
posix = pytest.mark.skipif(os.name != "posix", reason="no permissions to look at")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NETRC", *CDSE.variables.values()):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def revealed(account=CDSE):
    return {field: secret.reveal() for field, secret in find_credentials(account).items()}


def write_netrc(home, text="machine example.org login me password planted\n", mode=0o600):
    (home / ".netrc").write_text(text)
    (home / ".netrc").chmod(mode)


def test_the_environment_comes_first_then_netrc_then_the_file(home, monkeypatch):
    store_credentials("cdse", {"user": Secret("filed"), "password": Secret("filed word")})
    assert revealed() == {"user": "filed", "password": "filed word"}
    write_netrc(home)
    assert revealed() == {"user": "me", "password": "planted"}
    monkeypatch.setenv("SARSHIP_TEST_USER", "set")
    monkeypatch.setenv("SARSHIP_TEST_PASSWORD", "set word")
    assert revealed() == {"user": "set", "password": "set word"}


def test_what_is_missing_is_named(monkeypatch):
    with pytest.raises(CredentialError, match=r"SARSHIP_TEST_USER and SARSHIP_TEST_PASSWORD.*sarship login cdse"):
        find_credentials(CDSE)
    monkeypatch.setenv("SARSHIP_TEST_USER", "planted")
    with pytest.raises(CredentialError, match="SARSHIP_TEST_PASSWORD not set") as caught:
        find_credentials(CDSE)
    assert "planted" not in str(caught.value)


def test_netrc_is_for_its_own_machine_and_for_users_with_passwords(home):
    write_netrc(home)
    for account in (
        Account(provider="x", variables=CDSE.variables, machine="other.org"),
        Account(provider="x", variables=CDSE.variables),
        Account(provider="x", variables={"key": "SARSHIP_TEST_KEY"}, machine="example.org"),
    ):
        with pytest.raises(CredentialError, match="needs an account"):
            find_credentials(account)


def test_netrc_may_be_elsewhere(home, monkeypatch):
    write_netrc(home)
    (home / ".netrc").rename(home / "mine")
    monkeypatch.setenv("NETRC", str(home / "mine"))
    assert revealed()["user"] == "me"


def test_a_damaged_netrc_is_said_so_without_its_words(home):
    write_netrc(home, "machine example.org login me password planted planted2\n")
    with pytest.raises(CredentialError, match="not a netrc") as caught:
        find_credentials(CDSE)
    assert "planted" not in "".join(traceback.format_exception(caught.value))


@posix
def test_files_that_others_can_read_are_refused(home):
    write_netrc(home, mode=0o644)
    with pytest.raises(CredentialError, match="chmod 600"):
        find_credentials(CDSE)
    (home / ".netrc").unlink()
    store_credentials("cdse", {"user": Secret("a"), "password": Secret("b")}).chmod(0o640)
    with pytest.raises(CredentialError, match="chmod 600"):
        find_credentials(CDSE)


@posix
def test_the_stored_file_is_the_owners_alone_from_its_first_byte(home):
    old = os.umask(0)
    try:
        path = store_credentials("cdse", {"user": Secret("a"), "password": Secret("b")})
    finally:
        os.umask(old)
    assert path == credentials_file() == home / "config" / "sarship" / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_providers_are_stored_beside_each_other_and_forgotten_one_by_one():
    store_credentials("cdse", {"user": Secret("a"), "password": Secret("b")})
    store_credentials("asf", {"token": Secret("c")})
    assert forget_credentials("asf")
    assert not forget_credentials("asf")
    assert revealed() == {"user": "a", "password": "b"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cdse": "planted"}', '{"cdse": {"user": "planted"}}'])
def test_a_damaged_stored_file_is_said_so_without_its_words(text):
    path = store_credentials("cdse", {"user": Secret("a"), "password": Secret("b")})
    path.write_text(text)
    with pytest.raises(CredentialError, match="sarship login") as caught:
        find_credentials(CDSE)
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def test_a_write_that_fails_leaves_the_old_file(monkeypatch):
    path = store_credentials("cdse", {"user": Secret("a"), "password": Secret("b")})
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CredentialError, match="No space left"):
        store_credentials("asf", {"token": Secret("planted")})
    assert set(json.loads(path.read_text())) == {"cdse"}
    assert list(path.parent.iterdir()) == [path]


def test_a_secret_does_not_show():
    secret = Secret("planted")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", repr({"a": [secret]}), "%s" % secret):  # noqa: UP031
        assert "planted" not in text
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(secret)
    assert "planted" not in str(caught.value)
    assert secret == Secret("planted") != Secret("other")
    assert len({secret, Secret("planted")}) == 1
