"""Where the model is and the key to it, from the environment; and keeping the key out of texts.

A key goes into one header of a request and nowhere else. What is stray around it (line ends of a
secret's file, quotes, "Bearer ") is taken off; a key that no header can hold is refused without
being shown. Whatever an endpoint or a library says goes through `hide` before it is shown.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cambrian.errors import UsageError
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.text import neutralise

KEY, ADDRESS = "OPENAI_API_KEY", "OPENAI_BASE_URL"
HEADERS = "OPENAI_CUSTOM_HEADERS"
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
USUAL = "https://api.openai.com/v1"
NO_KEY = "none"
"""What is sent to an address that was given no key: the client sends something always."""
LONGEST_KEY, LONGEST_ADDRESS = 8192, 2048
LEAST_SECRET = 6
"""Shorter "keys" (x, none) are stand-ins for local endpoints, and would blot out ordinary words."""
LEAST_IN_ANSWER = 12
"""An answer is code, in which what is as short as a word must stay."""
HIDDEN = "[hidden]"
_STRAY = " \t\r\n\v\f\0\u00a0\u200b\u200c\u200d\u2028\u2029\u2060\ufeff"
_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019")
_BEARER = re.compile(r"\b(bearer|basic)[\s:=]+[^\s\"'<>]{6,}", re.I)
_PATH = "/chat/completions"


@dataclass(frozen=True)
class Credentials:
    """A key and an address that can be used as they are.

    Attributes:
        key, address: not to be shown; `endpoint` is what may be shown of the address.
        key_name, address_name: where they are from, for messages.
    """

    key: str = field(repr=False)
    address: str = field(repr=False)
    endpoint: str
    _secrets: tuple[str, ...] = field(default=(), repr=False)
    key_name: str = KEY
    address_name: str = ADDRESS

    @classmethod
    def of(cls, environment: Mapping[str, str], spec: ModelSpec | None = None) -> Credentials:
        """As `OPENAI_API_KEY` and `OPENAI_BASE_URL` say, or as a section of cambrian.toml does.

        Raises:
            UsageError: one is missing, or cannot be used; says why without showing a secret.
        """
        spec = spec or ModelSpec()
        key_name, key = _named_key(environment, spec)
        address_name = "base_url" if spec.base_url else ADDRESS
        address = _address(spec.base_url or environment.get(ADDRESS), key, address_name)
        _expect_sendable(environment)
        parts = urlsplit(address)
        secrets = [key, parts.username or "", parts.password or ""]
        secrets += [value for _, value in parse_qsl(parts.query)]
        for row in environment.get(HEADERS, "").splitlines():
            secrets.append(row.partition(":")[2].strip())
        for name in (*PROXIES, *(name.lower() for name in PROXIES)):
            secrets += _userinfo(environment.get(name, ""))
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return cls(
            key,
            address,
            shown.geturl().rstrip("/"),
            _variants(secrets),
            key_name,
            address_name,
        )

    def hide(self, text: str, longest: int = 300) -> str:
        """`text` on one line, cut, safe to show, without what is secret."""
        text = self.without_secrets(text)
        text = " ".join(neutralise(_BEARER.sub(rf"\1 {HIDDEN}", text[: 64 << 10])).split())
        return text if len(text) <= longest else text[: longest - 3] + "..."

    def without_secrets(self, text: str, least: int = LEAST_SECRET) -> str:
        """`text` with every secret of at least so many characters replaced, in the forms that it is
        likely to be echoed in."""
        for secret in self._secrets:
            if len(secret) >= least:
                text = text.replace(secret, HIDDEN)
        return text


def _named_key(environment: Mapping[str, str], spec: ModelSpec) -> tuple[str, str]:
    """Where a model's key is from, and the key."""
    if spec.key_file:
        return f"key_file {spec.key_file}", _key(_from_file(spec.key_file), spec.key_file)
    if spec.base_url and not spec.key_env:
        return "key_env", NO_KEY
    name = spec.key_env or KEY
    return name, _key(environment.get(name, ""), name)


def _from_file(path: str) -> str:
    """The key in a file; no part of it is shown, whatever is wrong."""
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(LONGEST_KEY * 2).decode()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"key_file {path}: cannot be read: {why}") from None
    except UnicodeDecodeError:
        raise UsageError(f"key_file {path}: expected a key in ASCII, got other bytes") from None


def _key(given: str, name: str = KEY) -> str:
    key = _unwrapped(given)
    if key[:7].strip().lower() == "bearer":
        key = _unwrapped(key[7:])
    if not key:
        also = (
            f" (any text will do for a local endpoint), and {ADDRESS} where the endpoint is not "
            "OpenAI's own"
        )
        raise UsageError(
            f"{name} is not set{' (it is empty)' if given else ''}: set it"
            f"{also if name == KEY else ''}"
        )
    if len(key) > LONGEST_KEY:
        raise UsageError(f"{name}: expected at most {LONGEST_KEY} characters; got {len(key)}")
    if found := _unfit(key):
        raise UsageError(f"{name}: expected letters, digits and signs of ASCII; got {found}")
    return key


def _unwrapped(text: str) -> str:
    """Without white space, invisible characters and a pair of quotes around it."""
    text = text.strip(_STRAY)
    while len(text) >= 2 and text[0] + text[-1] in _QUOTES:
        text = text[1:-1].strip(_STRAY)
    return text


def _unfit(text: str) -> str:
    """What no header and no address can hold, without showing it; "" where there is none."""
    for at, char in enumerate(text, start=1):
        if not "!" <= char <= "~":
            kind = "a space" if char == " " else "a control character"
            kind = kind if char.isascii() else "a character outside ASCII"
            return f"{kind} at position {at} of {len(text)} (it is not shown, it may be secret)"
    return ""


def _expect_sendable(environment: Mapping[str, str]) -> None:
    """Refuse what no header can hold, before a question is put aside for that is never sent."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        if found := _unfit(environment.get(name, "").strip()):
            raise UsageError(f"{name}: expected letters, digits and signs of ASCII; got {found}")
    for row in environment.get(HEADERS, "").splitlines():
        name, colon, value = row.partition(":")
        fit = all(" " <= char <= "~" or char == "\t" for char in value) and not _unfit(name.strip())
        if row.strip() and not (colon and name.strip() and fit):
            raise UsageError(f"{HEADERS}: expected lines NAME: VALUE in ASCII; one is none")


def _address(given: str | None, key: str = "", name: str = ADDRESS) -> str:
    """Refuse what is no address before the client's own library stumbles over it."""
    if given is None:
        return USUAL
    url = _unwrapped(given)
    shown = "..." if "@" in url or "://" not in url else url.partition("?")[0][:200]
    shown = "..." if key and key in url else shown
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or len(url) > LONGEST_ADDRESS or _unfit(url):
        why = f" ({_unfit(url)})" if _unfit(url) else ""
        raise UsageError(f"{name} is no address: expected http(s)://HOST/..., got {shown!r}{why}")
    if parts.path.rstrip("/").endswith(_PATH):
        raise UsageError(
            f"{name} ends in {_PATH}, which the client adds itself: give what comes before it"
        )
    return url


def _userinfo(url: str) -> list[str]:
    """User name and password of an address that may be none."""
    try:
        parts = urlsplit(url)
        return [parts.password or ""]
    except ValueError:
        return [url]


def _variants(secrets: list[str]) -> tuple[str, ...]:
    """Each secret as it is, and as JSON, addresses and pages write it; the longest first."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) >= LEAST_SECRET:
            plain = {secret, unquote(secret)}
            found |= plain | {f(one) for one in plain for f in (quote, html.escape, _quoted)}
            found |= {quote(one, safe="") for one in plain}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _quoted(text: str) -> str:
    return json.dumps(text)[1:-1]
