"""A foundation model behind an OpenAI-compatible endpoint, through the `openai` client.

One question is one request that may be paid: the client's own retries are off, for each would have
to be put aside for. What an endpoint turns down unread (a parameter that it does not know) is asked
again in another manner, which is remembered. Nothing that an endpoint does takes more than its time
and its bytes, and the key goes nowhere but into the header.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import openai

from cambrian.errors import UsageError
from cambrian.evolution.models import faults, replies
from cambrian.evolution.models.choices import told
from cambrian.evolution.models.credentials import HEADERS, LEAST_IN_ANSWER, Credentials
from cambrian.evolution.models.refusals import AskRefused, EndpointDown, TooLong, Used
from cambrian.evolution.models.replies import Answer
from cambrian.evolution.models.roster.specs import Grammar, ModelSpec

TIMEOUT_S = 120.0
CONNECT_S = 20.0
MAX_ANSWER_TOKENS = 8192
MAX_BODY = 8 << 20
LEAST_CAP = 1024
"""An endpoint whose context is too small for an answer of this length is told so no more."""
MANNERS = 8
"""So many manners of asking one question are tried at most."""

_LIMITS = ("max_completion_tokens", "max_tokens")
_TOGETHER = re.compile(
    r"both|same time|together|simultaneous|mutually|only one of|cannot (?:set|use)", re.I
)
_UNKNOWN = re.compile(
    r"unsupported|not supported|not permitted|unrecogni[sz]ed|unknown|unexpected|extra|not allowed|"
    r"invalid (?:param|argument|field)|does not support",
    re.I,
)
_REFUSED = re.compile(r"unsupported|deprecated|not supported|not permitted|unrecogni[sz]ed", re.I)
_SYSTEM = re.compile(
    r"system.{0,60}(?:role|message|prompt|instruction)|role.{0,60}system|messages.{0,8}role|"
    r"roles? must alternate|developer instruction",
    re.I | re.S,
)
_STREAM = re.compile(
    r"only supports? stream|must.{0,20}stream|stream.{0,40}(?:required|must be|enable|only)|"
    r"enable.{0,20}stream",
    re.I,
)


_FORMS: Mapping[Grammar, tuple[str, Grammar]] = {
    "gbnf": ("grammar", "schema"),
    "schema": ("response_format", "none"),
}
"""The parameter of each form of grammar, and the form that is tried where it is turned down."""


def _words(said: str) -> list[str]:
    return re.findall(r"[a-z_]+", said[: 16 << 10].lower())


@dataclass(frozen=True)
class Manner:
    """How an endpoint wants to be asked.

    Attributes:
        limits: parameters that bound an answer. Both at first: an endpoint that ignores what it
            does not know would else answer without a bound.
        system: whether it knows that role.
        stream: whether it answers in a stream only.
        temperature: what it is asked at; None: its own (reasoning models take no other).
        grammar: how it is held to choices, where there are some.
        cap: tokens that it allows for an answer.
    """

    limits: tuple[str, ...] = _LIMITS
    system: bool = True
    stream: bool = False
    cap: int = 1 << 40
    temperature: float | None = None
    grammar: Grammar = "none"

    def request(
        self, messages: Sequence[dict[str, str]], most: int, choices: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The parameters of a request in this manner, for at most `most` tokens of answer."""
        shown = list(messages) if self.system else _merged(messages)
        body: dict[str, Any] = {name: min(most, self.cap) for name in self.limits}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        extra = told(choices, self.grammar)
        if self.stream:
            extra |= {"stream": True, "stream_options": {"include_usage": True}}
        if extra:
            body["extra_body"] = extra
        return {"messages": shown, **body}

    def after(self, status: int, said: str, param: str, most: int) -> Manner | None:
        """Another manner that may please an endpoint which said this; None where there is none."""
        most = min(most, self.cap)
        unread = status in (400, 422) and _REFUSED.search(said) and any(n in said for n in _LIMITS)
        if unread and (another := self._without_a_limit(said, param)) is not None:
            return another
        if status in (400, 422) and faults.says_too_long(said):
            return replace(self, cap=max(LEAST_CAP, most // 2)) if most > LEAST_CAP else None
        if self.system and status in (400, 422, 500) and _SYSTEM.search(said):
            return replace(self, system=False)
        if status not in (400, 422):
            return None
        if (another := self._without_an_extra(said, param)) is not None:
            return another
        if not self.stream and _STREAM.search(said):
            return replace(self, stream=True)
        return self._without_a_limit(said, param)

    def _without_an_extra(self, said: str, param: str) -> Manner | None:
        """Without a temperature, or with another form of grammar, where it is about that."""
        if self.temperature is not None and "temperature" in (param, *_words(said)):
            return replace(self, temperature=None)
        form = _FORMS.get(self.grammar)
        if form is not None and (form[0] in said or param == form[0]):
            return replace(self, grammar=form[1])
        return None

    def _without_a_limit(self, said: str, param: str) -> Manner | None:
        places = {name: said.find(name) for name in _LIMITS if name in said}
        if not places and not _UNKNOWN.search(said):
            return None
        first = param if param in _LIMITS else min(places, key=places.__getitem__, default="")
        if len(self.limits) == 2:
            if _TOGETHER.search(said) and param not in _LIMITS:
                first = "max_tokens"
            first = first or "max_completion_tokens"
            return replace(self, limits=tuple(name for name in _LIMITS if name != first))
        return None


def _merged(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The same with what the system would say at the head of what the user says."""
    said = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
    rest = [dict(one) for one in messages if one["role"] != "system"]
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": said}, *rest]
    head = f"{said}\n\n{rest[0]['content']}" if said else rest[0]["content"]
    return [rest[0] | {"content": head}, *rest[1:]]


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint (`OPENAI_API_KEY`, `OPENAI_BASE_URL`).

    Attributes:
        name: what it is called here, in the ledger and in settings.
        most: tokens that an answer may have at most, as its section says; None as usual.
        retries: how often one question may be asked again at once; None as usual.

    Args:
        timeout_s: seconds that an answer may take.
        max_body: bytes that it may have, unpacked.
        spec: where it is and how it is asked; as the environment says where it says nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        retries: int | None = None,
        timeout_s: float = TIMEOUT_S,
        max_body: int = MAX_BODY,
        spec: ModelSpec | None = None,
    ) -> None:
        spec = spec or ModelSpec()
        self.name = name
        self.most = spec.max_tokens
        self._asked_as = spec.model or name
        self.retries = retries
        self._timeout_s = timeout_s
        self._max_body = max_body
        self._credentials = Credentials.of(os.environ, spec)
        self._own_address = bool(spec.base_url)
        self._manner = Manner(temperature=spec.temperature, grammar=spec.grammar)
        self._proven = False
        try:
            self._client()
        except Exception as error:  # noqa: BLE001 - whatever a library makes of the environment
            raise UsageError(
                "no client can be made as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and "
                f"OPENAI_* say: {self._credentials.hide(str(error)) or type(error).__name__}"
            ) from None

    @property
    def endpoint(self) -> str:
        """Its address as it may be shown."""
        return self._credentials.endpoint

    @property
    def manner(self) -> Manner:
        """How it wants to be asked, as far as is known."""
        return self._manner

    def answer(
        self,
        messages: Sequence[dict[str, str]],
        max_tokens: int = MAX_ANSWER_TOKENS,
        choices: Sequence[str] = (),
    ) -> Answer:
        """The model's answer, without its reasoning. Blocks for at most the timeout.

        Args:
            choices: it is held to one of these, where the endpoint can.

        Raises:
            AskRefused: there is none; `used` says what may have to be paid all the same.
        """
        try:
            answer = anyio.run(self._answer, list(messages), max_tokens, choices)
        except AskRefused as refusal:
            refusal.args = (self._credentials.without_secrets(str(refusal)),)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library makes of what was sent
            said = self._credentials.hide(f"{type(error).__name__}: {error}")
            message = f"the endpoint {self.endpoint} answered nonsense: {said}"
            raise AskRefused(message, Used()) from None
        text = self._credentials.without_secrets(answer.text, LEAST_IN_ANSWER)
        return replace(answer, text=text)

    async def _answer(
        self, messages: list[dict[str, str]], most: int, choices: Sequence[str]
    ) -> Answer:
        try:
            with anyio.fail_after(self._timeout_s):
                async with self._client() as client:
                    body = await self._body(client, messages, most, choices)
        except TimeoutError:
            said = f"the endpoint {self.endpoint} does not answer within {self._timeout_s:g} s"
            raise EndpointDown(said, Used()) from None
        reply = replies.parsed(body)
        if not isinstance(reply, Mapping):
            raise faults.no_json(body, self._place)
        if (error := replies.error_of(reply)) is not None:
            raise faults.in_success(error, reply, self._place)
        answer = replies.read(reply, min(most, self._manner.cap), self.endpoint)
        self._proven = True
        return answer

    async def _body(
        self,
        client: openai.AsyncOpenAI,
        messages: list[dict[str, str]],
        most: int,
        choices: Sequence[str],
    ) -> bytes:
        """What the endpoint sent as a success, asked in the manner that it wants."""
        for _ in range(MANNERS):
            manner = self._manner
            try:
                raw = await client.chat.completions.with_raw_response.create(
                    model=self._asked_as, **manner.request(messages, most, choices)
                )
            except openai.APIStatusError as error:
                refusal = self._status(error, manner, most)
                if refusal is not None:
                    raise refusal from None
                continue
            except openai.OpenAIError as error:
                raise faults.no_connection(error, self._place) from None
            content: bytes = raw.http_response.content
            return content
        raise AskRefused(f"the endpoint {self.endpoint} wants to be asked in no manner known here")

    def _status(self, error: openai.APIStatusError, manner: Manner, most: int) -> AskRefused | None:
        """Why that was refused; None if it is to be asked again in another manner."""
        response = error.response
        body = response.content
        reply = replies.parsed(body)
        status = response.status_code
        refusal = faults.by_status(status, response.headers, body, reply, self._place)
        another = None
        if refusal.used is None:
            said = faults.all_said(reply, body)
            another = manner.after(status, said, faults.param_of(reply), most)
        if another is not None:
            self._manner = another
            return None
        if isinstance(refusal, TooLong):
            self._manner = replace(self._manner, cap=Manner.cap)  # a shorter question has more room
        return refusal

    @property
    def _place(self) -> faults.Place:
        return faults.Place(self._credentials, self._asked_as, self._proven)

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=self._credentials.key,
            base_url=self._credentials.address,
            max_retries=0,
            timeout=openai.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s)),
            http_client=_BoundedClient(self._max_body),
            default_headers=self._headers(),
            organization=os.environ.get("OPENAI_ORG_ID", "").strip() or None,
            project=os.environ.get("OPENAI_PROJECT_ID", "").strip() or None,
        )

    def _headers(self) -> dict[str, Any]:
        """What every request carries. What OPENAI_* say is for `OPENAI_BASE_URL`: the client would
        send it to the address of a section too."""
        asked: dict[str, Any] = {"Accept-Encoding": "identity"}
        if not self._own_address:
            return asked
        rows = os.environ.get(HEADERS, "").split("\n")
        named = [row.partition(":")[0].strip() for row in rows if ":" in row]
        kept = {*asked, "Authorization"}
        left = {name for name in named if name.title() not in kept}
        silent = {name: openai.Omit() for name in (*left, "OpenAI-Organization", "OpenAI-Project")}
        key = {"Authorization": f"Bearer {self._credentials.key}"}
        return silent | asked | key


class _Oversized(openai.OpenAIError):
    """More bytes came than any answer has."""


class _BoundedClient(openai.DefaultAsyncHttpxClient):
    """Reads a body of at most so many bytes, packed or not, and follows no redirection."""

    def __init__(self, most: int) -> None:
        super().__init__(follow_redirects=False)
        self._most = most

    async def send(self, request: Any, **options: Any) -> Any:
        response = await super().send(request, **(options | {"stream": True}))
        try:
            body = await _read(response, self._most)
        finally:
            await response.aclose()
        about_body = ("content-encoding", "content-length", "transfer-encoding")
        headers = [pair for pair in response.headers.multi_items() if pair[0] not in about_body]
        return type(response)(
            response.status_code, headers=headers, content=body, request=response.request
        )


async def _read(response: Any, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > most:
            raise _Oversized(f"more than {most >> 20} MiB")
        parts.append(part)
    body = b"".join(parts)
    packed = response.headers.get("content-encoding", "identity").lower()
    if packed in ("", "identity"):
        return body
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise _Oversized(f"a body packed as {packed[:20]!r}, which was not asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        unpacked = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise _Oversized(f"a body that cannot be unpacked: {error}") from None
    if len(unpacked) > most:
        raise _Oversized(f"more than {most >> 20} MiB, packed")
    return unpacked
