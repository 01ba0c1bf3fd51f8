"""What a run is told: the one schema of its settings.

Each field carries its help, its bounds and its default. The options of the command line, the keys
of cambrian.toml and docs/settings.md are made of it (`cli.run.options`), so this module imports
nothing heavy.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cambrian.errors import UsageError
from cambrian.evolution.admission.approval import Policy
from cambrian.evolution.admission.thresholds import AdmissionName, Rules
from cambrian.evolution.models.prices import Price, expect_priced
from cambrian.evolution.models.roster.specs import REPLAY, ModelSpec, names_in

LAG = 6
"""Proposal k sees the archive as decided through k − LAG, however many workers there are."""

EVIDENCE_TOKENS = 24_000
"""Of a question to a model."""

PROPOSALS = 40
"""How many, where no limit says when to end."""

LIMITS = (
    *("proposals", "judged", "agents", "evaluations"),
    *("hours", "cpu_hours", "tokens", "dollars"),
)
"""What a run may be limited in; None where it is not."""

Rewriter = Literal["recombine", "model", "mixed"]
Order = Literal["fixed", "free"]
Strategy = Literal[
    "dgm",
    "clade",
    "power-law",
    "uniform",
    "greedy",
    "last",
    "islands",
    "pareto",
    "lexicase",
    "novelty",
    "metaproductive",
    "random",
]
Tuning = Literal["cmaes", "random"]
ImproverName = Literal["one-shot", "diagnose", "plan", "crossover", "all"]
Device = Literal["cpu", "cuda"]
SandboxName = Literal["auto", "docker", "gvisor", "bubblewrap", "none"]


@dataclass(frozen=True)
class About:
    """What is to be known of a setting, beside its type and its default.

    Attributes:
        help: what people are told; "" for what only code sets.
        metavar: what stands for a value in the help, where it is not one of some words.
        least, most: its bounds, both included.
        may_change: whether it may be changed when a run is resumed: it does not decide what
            happens.
        option: the option's name, where the field is made of another value than its own.
        variables: of the environment that set it too, beside CAMBRIAN_RUN_ and its name.
    """

    help: str = ""
    metavar: str | None = None
    least: float | None = None
    most: float | None = None
    may_change: bool = False
    option: str = ""
    variables: tuple[str, ...] = ()


def _limit(text: str, metavar: str = "N", least: float | None = 0) -> About:
    return About(text, metavar, least, may_change=True)


@dataclass(frozen=True)
class Settings:
    """A run's settings, each with what it is for (`about`).

    Raises:
        UsageError: one is out of bounds, or they make no sense together.
    """

    proposals: Annotated[
        int | None,
        _limit(f"End after N proposals. [default: {PROPOSALS}, where no other end is given]"),
    ] = None
    hours: Annotated[
        float | None, _limit("End after H hours, pauses not counted.", "H", least=None)
    ] = None
    judged: Annotated[int | None, _limit("End after this run has judged N variants.")] = None
    agents: Annotated[int | None, _limit("End after N admissions to the tree by this run.")] = None
    evaluations: Annotated[
        int | None,
        _limit("Never make more than N evaluations (sealed runs do not count)."),
    ] = None
    cpu_hours: Annotated[
        float | None, _limit("End after H hours of processor time in sandboxes.", "H", least=None)
    ] = None
    tokens: Annotated[
        int | None, _limit("Hard stop on the tokens a model may use. [default: none]")
    ] = None
    dollars: Annotated[
        float | None,
        _limit("Hard stop on what a model may cost; needs its price. [default: none]", "D"),
    ] = None
    prices: Annotated[
        Mapping[str, Price],
        About(
            "What --model costs: dollars per million prompt and completion tokens. "
            "[default: as under [prices] in cambrian.toml]",
            "P,C",
            may_change=True,
            option="price",
        ),
    ] = field(default_factory=dict)
    approve: Annotated[
        str,
        About(
            "Which admissions wait for a person: none, champion, every:N or all.",
            "WHICH",
            may_change=True,
        ),
    ] = "none"
    patience: Annotated[
        float,
        About(
            "How long an engine or an endpoint may be down before the run is abandoned.",
            "MIN",
            least=0,
            may_change=True,
        ),
    ] = 60.0
    workers: Annotated[
        int,
        About(
            "Evaluation processes; the tree does not depend on it.",
            "N",
            least=1,
            most=1024,
            may_change=True,
        ),
    ] = 2
    seed: Annotated[int, About("Seed of every random choice.", "S", least=0, most=2**32 - 1)] = 0
    rewriter: Annotated[
        Rewriter,
        About(
            "What rewrites: mechanisms recombined without a model, foundation models, or both: a "
            "bandit gives the proposals to what gains most for a dollar (docs/models.md)."
        ),
    ] = "recombine"
    model: Annotated[
        str,
        About(
            "The models to ask, separated by commas: each as under [models.NAME] in cambrian.toml, "
            "else at OPENAI_BASE_URL with OPENAI_API_KEY; or replay:FILE, answers that were "
            "recorded by `cambrian model record`. [default: all under [models]] [env: "
            "CAMBRIAN_MODEL]",
            "NAMES",
            variables=("CAMBRIAN_MODEL",),
        ),
    ] = ""
    answer_tokens: Annotated[
        int,
        About(
            "The most that an answer of the model may have, its reasoning included.",
            "N",
            least=1,
            may_change=True,
        ),
    ] = 8192
    variant_tokens: Annotated[
        int | None,
        About(
            "The most tokens that the questions of one variant may use. [default: none]",
            "N",
            least=1,
            may_change=True,
        ),
    ] = None
    variant_dollars: Annotated[
        float | None,
        About(
            "The most that the questions of one variant may cost. [default: none]",
            "D",
            least=0,
            may_change=True,
        ),
    ] = None
    judging_price: Annotated[
        float,
        About(
            "What judging one variant is worth, in dollars, where models and recombination are "
            "compared by what they gain for a dollar.",
            "D",
            least=0,
            most=1e6,
        ),
    ] = 0.01
    endpoints: Annotated[Mapping[str, ModelSpec], About(may_change=True)] = field(
        default_factory=dict
    )
    evidence_tokens: Annotated[
        int,
        About(
            "The most tokens of evidence (code, scores, what was tried) in a question to the "
            "model; what is worth least is left out first.",
            "N",
            least=2000,
            may_change=True,
        ),
    ] = EVIDENCE_TOKENS
    improver: Annotated[
        ImproverName,
        About(
            "How the seed agents ask a model: in one question (one-shot), after a diagnosis "
            "(diagnose), by plan and critique (plan), with what a second agent has (crossover), "
            "or each seed agent in another of these ways (all). Holds for a new archive."
        ),
    ] = "one-shot"
    sandbox: Annotated[
        SandboxName,
        About(
            "Where untrusted code runs; none is no sandbox at all, and is never chosen by auto.",
            may_change=True,
        ),
    ] = "auto"
    benchmarks: Annotated[
        tuple[str, ...],
        About(
            "What agents are judged by, separated by commas: names, or files with one of your "
            "own. [default: the first three of `cambrian bench list`]",
            "A,B",
        ),
    ] = ()
    suite: Annotated[
        str,
        About(
            "A named suite (`cambrian bench suites`) that agents are judged by, in place of "
            "--benchmarks.",
            "NAME",
        ),
    ] = ""
    order: Annotated[
        Order,
        About("fixed: the same tree for any number of workers; free: decide as results come in."),
    ] = "fixed"
    selection: Annotated[
        Strategy,
        About(
            "How parents are picked: by score over number of children (dgm), by what their clades "
            "have shown (clade), by what their improvers' edits came to (metaproductive), by rank "
            "(power-law), evenly (uniform), the best or the newest only (greedy, last), on islands "
            "(islands), by score vectors (pareto, lexicase, novelty), or chains of edits of seed "
            "agents, with no archive (random)."
        ),
    ] = "dgm"
    tuning: Annotated[
        Tuning,
        About(
            "How recombination tunes knobs: by an optimiser for each structure, which learns from "
            "every agent that differs in knobs only (cmaes), or one to three at random (random)."
        ),
    ] = "random"
    rules: Annotated[
        Rules,
        About(
            "What a variant is judged by: five seeds (fixed), or up to 14 in looks, with its "
            "parent, while that may show it to be better (raced; docs/statistics.md).",
            option="seeds",
        ),
    ] = field(default_factory=Rules)
    admission: Annotated[
        AdmissionName,
        About(
            "What makes a variant a member: to be better than its parent, level with it, or new "
            "within a quota (stepping-stones); as good on average, within a margin and without "
            "proof (as-good); shown to be better or level (not-worse); better (better); better on "
            "one benchmark and level on all (pareto); or to run, as in the Darwin Gödel Machine "
            "(keep-all)."
        ),
    ] = "as-good"
    device: Annotated[Device, About("Where learners compute.")] = "cpu"

    def __post_init__(self) -> None:
        for each in schema():
            each.check(getattr(self, each.name))
        Policy.of(self.approve)
        for name in ("hours", "cpu_hours"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e6:
                raise UsageError(f"{name} must be above 0, got {value}")
        if all(getattr(self, name) is None for name in LIMITS):
            raise UsageError("a run needs an end: give --proposals, --hours or another limit")
        if self.asks:
            self._check_model()
        elif not self._ends_without_a_model():
            raise UsageError(
                f"--rewriter {self.rewriter} spends no tokens and no dollars, so that limits in "
                "these end nothing: give --proposals, --hours or another limit"
            )

    @property
    def asks(self) -> bool:
        """Whether models are asked."""
        return self.rewriter in ("model", "mixed")

    @property
    def models(self) -> tuple[str, ...]:
        """The models that may be asked, in order."""
        if self.replays:
            return tuple(self.endpoints)  # as the recording names them
        return names_in(self.model) if self.asks else ()

    @property
    def replays(self) -> bool:
        """Whether recorded answers stand in for models."""
        return self.asks and self.model.startswith(REPLAY)

    def _check_model(self) -> None:
        if not self.models:
            raise UsageError(
                f"--rewriter {self.rewriter} needs a model's name: give --model, set "
                "CAMBRIAN_MODEL, or add a section [models.NAME] to cambrian.toml"
            )
        if self.dollars is not None or self.variant_dollars is not None:
            expect_priced(self.models, self.prices)

    def _ends_without_a_model(self) -> bool:
        return any(getattr(self, n) is not None for n in LIMITS if n not in ("tokens", "dollars"))

    def to_json(self) -> dict[str, Any]:
        """The settings as they are kept with a run."""
        return asdict(self)


@dataclass(frozen=True)
class Setting:
    """One field of `Settings`, for whoever makes something of them all.

    Attributes:
        kind: its type, without None.
        choices: the words that it is one of; none where it is no word.
    """

    name: str
    kind: Any
    default: Any
    about: About

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def check(self, value: Any) -> None:
        """Raises UsageError if the value is out of bounds, or no word of those there are."""
        if self.choices and value not in self.choices:
            raise UsageError(
                f"expected {self.name} out of {', '.join(self.choices)}, got {value!r}"
            )
        least, most = self.about.least, self.about.most
        if value is None or least is None:
            return
        if not least <= value < 1e15:
            raise UsageError(f"{self.name} must be at least {least:g}, got {value}")
        if most is not None and value > most:
            raise UsageError(f"{self.name} must be at most {most:g}, got {value}")


@functools.cache
def schema() -> tuple[Setting, ...]:
    """Every setting, in the order in which people are shown them."""
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(_setting(each, hints[each.name]) for each in fields(Settings))


def _setting(each: Field[Any], hint: Any) -> Setting:
    kind, about = get_args(hint)
    if type(None) in get_args(kind):
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    made = each.default_factory
    return Setting(each.name, kind, each.default if made is MISSING else made(), about)


MAY_CHANGE = frozenset(each.name for each in schema() if each.about.may_change)
"""What may be changed when a run is resumed; the rest decides what happens."""
