"""What an endpoint's errors mean, in one line that says what to change.

An error that will not go away by itself is `Misconfigured`, and ends the run at once; one that may
is `EndpointDown`, and the run pauses; the rest turns down one question.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.request import getproxies

from cambrian.evolution.models.credentials import Credentials
from cambrian.evolution.models.refusals import (
    AskRefused,
    EndpointDown,
    Misconfigured,
    TooLong,
    Used,
)
from cambrian.evolution.models.replies import used, whole

DOWN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530})
"""Status codes that say "not now" rather than "no"."""
PAID = frozenset({408, 499, 504, 524})
"""Those behind which the model may have worked, and been paid, all the same."""
LONGEST_WAIT_S = 3600.0
_QUOTA = re.compile(
    r"insufficient_quota|insufficient.{0,20}(?:credit|balance|funds|quota)|exceeded your current "
    r"quota|billing_(?:hard_limit|not_active)|plan and billing|credit balance|out of credits|"
    r"account.{0,30}(?:deactivated|suspended)",
    re.I,
)
_CONTEXT = re.compile(
    r"context_length_exceeded|context.{0,3}(?:length|size|window)|maximum context|too many tokens|"
    r"prompt is too long|input is too long|too long for|reduce the length|exceed\w*.{0,60}context|"
    r"max_(?:completion_)?tokens.{0,60}(?:too large|less than|maximum|exceed)|"
    r"at most \d+ completion tokens|n_ctx|too large for",
    re.I,
)
_TOO_LARGE = re.compile(
    r"request too large|context_length_exceeded|context length exceeded|maximum context length",
    re.I,
)
_NO_KEY = re.compile(
    r"api.?key.{0,20}(?:not valid|invalid|expired)|(?:invalid|incorrect|wrong).{0,4}api.?key|"
    r"invalid_api_key|API_KEY_INVALID",
    re.I,
)
_NO_MODEL = re.compile(
    r"model_not_found|model_not_exist|(?:no such|unknown|invalid|unsupported) model|"
    r"model[^.]{0,160}(?:not found|not exist|not available|not supported|decommissioned)|"
    r"not a valid model",
    re.I,
)
_PASSING = re.compile(r"retry.{0,3}delay|(?:retry|try again) (?:in|after) [\d.]+", re.I)
_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<head|<body|<\?xml)", re.I)
_PROXY = "a proxy may stand between: see HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


@dataclass(frozen=True)
class Place:
    """The endpoint and model that were asked, for messages.

    Attributes:
        proven: whether it has answered a question before, so that its settings are right.
    """

    credentials: Credentials
    model: str
    proven: bool = False

    @property
    def endpoint(self) -> str:
        """The address that is asked, without its credentials."""
        return self.credentials.endpoint

    @property
    def at(self) -> str:
        """The setting that its address is from."""
        return self.credentials.address_name

    @property
    def key(self) -> str:
        """The setting that its key is from."""
        return self.credentials.key_name

    @property
    def wants_version(self) -> str:
        """What to look at in an address that leads nowhere."""
        if re.search(r"/v\d+\w*(?:/|$)", self.endpoint):
            return f"{self.at} is {self.endpoint}: is that the address it serves the protocol at?"
        return f"{self.at} is {self.endpoint}: should it end in /v1?"


def by_status(
    status: int, headers: Mapping[str, str], body: bytes, reply: Any, place: Place
) -> AskRefused:
    """What an HTTP status with its body means. `reply`: the body's JSON, None if it has none."""
    text = body[: 64 << 10].decode("utf-8", "replace")
    page = bool(_PAGE.match(text)) or "text/html" in headers.get("content-type", "").lower()
    message = "a web page" if page else place.credentials.hide(_message(reply, text))
    said = f"the endpoint {place.endpoint} said {status}: {message or 'nothing more'}"
    spent = used(reply)
    paid = spent if spent != Used() or status in PAID else None
    codes = all_said(reply, body)
    if 300 <= status < 400:
        where = place.credentials.hide(headers.get("location", "")).partition("?")[0]
        where = where.rpartition("@")[2] or "another address"
        said = f"the endpoint {place.endpoint} said {status}: it has moved to {where}"
        return Misconfigured(f"{said}. The key does not follow: set {place.at}", paid)
    if status == 402 or (status in (400, 403, 429) and _used_up(codes, headers)):
        return Misconfigured(
            f"{said}. There is no credit or quota left, which waiting does not mend: see the "
            f"account of {place.key}",
            paid,
        )
    if status in DOWN and _TOO_LARGE.search(codes):
        return _too_long(said, paid, place)
    if status in DOWN:
        return EndpointDown(said, paid, _retry_after(headers))
    return _refusal(status, said, codes, page, paid, place)


def _used_up(codes: str, headers: Mapping[str, str]) -> bool:
    """Whether an error is about money or a quota that will not come back by waiting."""
    if "insufficient_quota" in codes:
        return True
    passing = _retry_after(headers) or _PASSING.search(codes)
    return _QUOTA.search(codes) is not None and not passing


def _refusal(
    status: int, said: str, codes: str, page: bool, paid: Used | None, place: Place
) -> AskRefused:
    """An error that asking again does not mend."""
    if status == 401 or (status in (400, 403) and _NO_KEY.search(codes)):
        return Misconfigured(f"{said}. It does not take the key: see {place.key}", paid)
    if status == 407:
        return Misconfigured(f"{said}. {_PROXY[0].upper()}{_PROXY[1:]}", paid)
    if status in (413, 400, 422) and (status == 413 or _CONTEXT.search(codes)):
        return _too_long(said, paid, place)
    if status in (400, 404, 410, 422) and not page and _NO_MODEL.search(codes):
        return Misconfigured(f"{said}. It has no model {place.model!r}: see --model", paid)
    if status == 400 and re.search(r"HTTPS (?:port|server)", codes):
        return Misconfigured(f"{said}. It wants https:// in {place.at}", paid)
    if status in (404, 405, 410):
        return Misconfigured(f"{said}. {place.wants_version}", paid)
    if status == 403 and page:
        return Misconfigured(f"{said}. {_PROXY[0].upper()}{_PROXY[1:]}", paid)
    if status == 403 and not place.proven:
        return Misconfigured(
            f"{said}. The key may not use {place.model}: see {place.key}, --model", paid
        )
    if page and not place.proven:
        return Misconfigured(f"{said}. {place.wants_version} Or {_PROXY}", paid)
    return AskRefused(said, paid)


def _too_long(said: str, paid: Used | None, place: Place) -> TooLong:
    return TooLong(
        f"{said}. The question is too long for {place.model}: choose a --model (or start its "
        "server) with a longer context, or lower --answer-tokens",
        paid,
    )


def says_too_long(said: str) -> bool:
    """Whether an error says that a question, or the answer it allows, is too long."""
    return bool(_CONTEXT.search(said))


def all_said(reply: Any, body: bytes) -> str:
    """All that an error's body says, codes included, to be searched."""
    return _codes(reply) if reply is not None else body[: 16 << 10].decode("utf-8", "replace")


def param_of(reply: Any) -> str:
    """The parameter that an error is about; "" where it names none."""
    error = reply.get("error") if isinstance(reply, Mapping) else None
    return str(error.get("param") or "") if isinstance(error, Mapping) else ""


def in_success(error: Any, reply: Any, place: Place) -> AskRefused:
    """What an error means that came with status 200: as its own code says; it may be paid."""
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    status = int(code) if isinstance(code, int | str) and str(code) in _STATUSES else 400
    body = json.dumps({"error": error})[: 64 << 10].encode()
    found = by_status(status, {}, body, {"error": error}, place)
    found.args = (found.args[0].replace(f"said {status}", "said, as a success", 1),)
    found.used = used(reply)
    return found


_STATUSES = frozenset(map(str, range(400, 600)))


def no_json(body: bytes, place: Place) -> AskRefused:
    """A success whose body is not of the protocol; it may be paid."""
    text = body[: 64 << 10].decode("utf-8", "replace")
    if not text.strip():
        return AskRefused(f"the endpoint {place.endpoint} sent an empty body", Used())
    if _PAGE.match(text):
        said = f"the endpoint {place.endpoint} answered with a web page"
        said = f"{said}. {place.wants_version} Or {_PROXY}"
        return (AskRefused if place.proven else Misconfigured)(said, Used())
    shown = place.credentials.hide(text, 100)
    return AskRefused(f"the endpoint {place.endpoint} answered nonsense: {shown}", Used())


def no_connection(error: BaseException, place: Place) -> AskRefused:
    """What it means that no answer came; whether it may be paid depends on how far it got."""
    names = _names(error)
    if "_Oversized" in names:
        message = (
            f"the endpoint {place.endpoint} sent too much: {place.credentials.hide(str(error))}"
        )
        return AskRefused(message, Used())
    cause = place.credentials.hide(_said(error))
    said = f"the endpoint {place.endpoint} does not answer: {cause}"
    for known in _TROUBLE:
        if (found := known(names, cause, said, place)) is not None:
            return found
    unsent = names & {"ConnectError", "ConnectTimeout", "PoolTimeout"}
    hint = f". See {place.at}{_or_proxy()}" if unsent and not place.proven else ""
    return EndpointDown(said + hint, None if unsent else Used())


def _tls(names: set[str], cause: str, said: str, place: Place) -> AskRefused | None:
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        why = "Its certificate is not trusted here: see SSL_CERT_FILE (of its authority) and"
        return Misconfigured(f"{said}. {why} {place.at}")
    if "WRONG_VERSION_NUMBER" in cause or "RECORD_LAYER_FAILURE" in cause:
        return Misconfigured(f"{said}. It speaks no TLS there: http:// in {place.at}?")
    return None


def _proxy(names: set[str], cause: str, said: str, place: Place) -> AskRefused | None:
    if "ProxyError" not in names:
        return None
    kind = Misconfigured if re.search(r"\b40[1357]\b", cause) else EndpointDown
    return kind(f"{said}. {_PROXY[0].upper()}{_PROXY[1:]}")


_UNSENDABLE = {"LocalProtocolError", "InvalidURL", "UnsupportedProtocol", "UnicodeEncodeError"}


def _headers(names: set[str], cause: str, said: str, place: Place) -> AskRefused | None:
    if not names & _UNSENDABLE:
        return None
    return Misconfigured(
        f"a question cannot be sent to {place.endpoint} as the environment says: see {place.at}, "
        "OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS"
    )


def _speech(names: set[str], cause: str, said: str, place: Place) -> AskRefused | None:
    if "RemoteProtocolError" not in names or not re.search(r"illegal|malformed", cause):
        return None
    kind = EndpointDown if place.proven else Misconfigured
    return kind(f"{said}. It speaks no HTTP there: see {place.at}", Used())


def _name(names: set[str], cause: str, said: str, place: Place) -> AskRefused | None:
    unknown = re.search(r"Name or service not known|nodename nor servname|No address assoc", cause)
    if unknown is None or place.proven:
        return None
    return Misconfigured(f"{said}. There is no such host: see {place.at}{_or_proxy()}")


def _or_proxy() -> str:
    """Where else to look, if the environment names a proxy: it may be that which was not found."""
    return f"; or {_PROXY}" if set(getproxies()) - {"no"} else ""


_TROUBLE: tuple[Callable[[set[str], str, str, Place], AskRefused | None], ...] = (
    _tls,
    _proxy,
    _headers,
    _name,
    _speech,
)


def _names(error: BaseException | None) -> set[str]:
    """The kinds of an error and of its causes."""
    found: set[str] = set()
    for _ in range(8):
        if error is None:
            break
        found |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__ or error.__context__
    return found


def _said(error: BaseException) -> str:
    """What the deepest cause says, for those above it say less and less."""
    said, cause = str(error), error.__cause__ or error.__context__
    for _ in range(8):
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if cause is None:
            break
        said, cause = str(cause) or said, cause.__cause__ or cause.__context__
    return said or type(error).__name__


def _message(reply: Any, text: str) -> str:
    """What a body says, of whatever shape."""
    found = reply
    if isinstance(reply, list) and reply:
        found = reply[0]
    for name in ("error", "detail", "message", "msg"):
        if isinstance(found, Mapping) and found.get(name):
            found = found[name]
    if isinstance(found, str):
        return whole(found)
    return whole(json.dumps(found)) if found else whole(text)


def _codes(reply: Any) -> str:
    """All that a body says, codes included, to be searched."""
    return json.dumps(reply)[: 16 << 10]


def _until(then: str, now: str) -> float:
    """Seconds until a date, by the endpoint's own clock where it tells it."""
    try:
        end = parsedate_to_datetime(then)
        begin = parsedate_to_datetime(now) if now else datetime.now(end.tzinfo)
        return (end - begin).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that `Retry-After` asks for (a number or a date), within reason; 0 for nonsense."""
    given = headers.get("retry-after", "0")
    try:
        wait_s = float(given)
    except ValueError:
        wait_s = _until(given, headers.get("date", ""))
    return min(max(wait_s, 0.0), LONGEST_WAIT_S) if math.isfinite(wait_s) else 0.0
