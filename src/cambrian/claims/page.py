"""docs/literature.md: every paper with what is in, what was measured and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cambrian
from cambrian.claims.claim import Claim, Finding
from cambrian.claims.literature import Paper, Part, papers
from cambrian.claims.registry import claims
from cambrian.claims.store import FOLDER, Result, load, stale
from cambrian.errors import NotFound

PACKAGE = Path(cambrian.__file__).parent
SOURCE = "../src/cambrian"
"""The package, seen from docs/."""

HEAD = """# The literature

Made by `tools/literature_docs.py` from `src/cambrian/claims`; a test holds it against the code.
Fifty-two papers on continual and meta-learning, plasticity and self-improvement, and what each
has become here. A claim is measured by `cambrian claim run NAME`; [claims.md](claims.md) says how
to read a verdict. What did not reproduce is shown as such and decides nothing; it is not tuned
until it does. A result is *stale* once the code that it was measured with has changed.
"""


def document(folder: Path = FOLDER) -> str:
    """The page, in Markdown.

    Raises:
        NotFound: a row names a part that is not there.
        CambrianError: a result makes no sense.
    """
    known = {name: (claim, load(name, folder)) for name, claim in claims().items()}
    lines = [HEAD, _summary(known), "", "| row | paper | in | measured | missing |"]
    lines.append("|---" * 5 + "|")
    for number, paper in papers().items():
        own = {name: each for name, each in known.items() if each[0].row == number}
        cells = (str(number), _title(paper), _parts(paper), _measured(own), _missing(paper, own))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## The claims", "", _beyond(known)]
    for claim, result in known.values():
        lines += ["", *_section(claim, result)]
    return "\n".join(lines) + "\n"


Known = Mapping[str, tuple[Claim, Result | None]]


def _summary(known: Known) -> str:
    begun = sum(bool(paper.parts) for paper in papers().values())
    results = [result for _, result in known.values() if result is not None]
    said = ", ".join(
        f"{sum(result.verdict == verdict for result in results)} {verdict}"
        for verdict in ("holds", "not settled", "did not reproduce")
    )
    return (
        f"Of {begun} of {len(papers())} papers something is in. Of {len(known)} claims "
        f"{len(results)} are measured: {said}."
    )


def _title(paper: Paper) -> str:
    number = f", [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
    return f"{paper.title}{number}"


def _parts(paper: Paper) -> str:
    words = {"seed": "seed agent", "loop": "loop part"}
    kinds: dict[str, list[str]] = {}
    for part in paper.parts:
        kinds.setdefault(words.get(part.kind, part.kind), []).append(f"[{part.name}]({link(part)})")
    return "; ".join(f"{kind} {', '.join(links)}" for kind, links in kinds.items()) or "–"


def link(part: Part) -> str:
    """Where a part is described, as seen from docs/.

    Raises:
        NotFound: it is not there.
    """
    if part.kind == "benchmark":
        return f"benchmarks.md#{part.name.partition('+')[0]}"
    if part.kind == "metric":
        return "metrics.md"
    if part.kind == "mechanism":
        found = sorted((PACKAGE / "agents" / "mechanisms").rglob(f"{part.name}.py"))
    elif part.kind == "seed":
        found = [PACKAGE / "agents" / "seeds" / part.name / "learner.py"]
    else:
        place = PACKAGE.joinpath(*part.name.split("."))
        found = [place.with_name(f"{place.name}.py")]
    if len(found) != 1 or not found[0].is_file():
        raise NotFound(f"literature.toml: expected a file of the {part.kind} {part.name}; got none")
    return f"{SOURCE}/{found[0].relative_to(PACKAGE).as_posix()}"


def _measured(own: Known) -> str:
    return "; ".join(f"[{name}](#{name}): {_verdict(*each)}" for name, each in own.items()) or "–"


def _verdict(claim: Claim, result: Result | None) -> str:
    if result is None:
        return "not yet"
    said = result.verdict if result.verdict != "did not reproduce" else f"**{result.verdict}**"
    if result.verdict == "holds" and any(
        f.control and f.verdict != "holds" for f in result.findings
    ):
        said += " (a control does not)"
    decides = [finding for finding in result.findings if not finding.control]
    if len(decides) == 1:
        said += f", {_interval(decides[0])}"
    else:
        holding = sum(finding.verdict == "holds" for finding in decides)
        said += f", {holding} of {len(decides)} tests hold"
    return f"{said} ({result.date}{', stale' if stale(claim, result) else ''})"


def _missing(paper: Paper, own: Known) -> str:
    if not paper.parts:
        return f"all of it: {', '.join(paper.roles)}"
    unmeasured = [] if any(result for _, result in own.values()) else ["a measured claim"]
    return "; ".join([*filter(None, [paper.missing]), *unmeasured]) or "–"


def _beyond(known: Known) -> str:
    names = [f"[{name}](#{name})" for name, (claim, _) in known.items() if claim.row is None]
    return (
        f"Of papers (or streams of our own) that are not among the fifty-two: {', '.join(names)}."
    )


def _section(claim: Claim, result: Result | None) -> Sequence[str]:
    lines = [
        f"### {claim.name}",
        "",
        f"{claim.citation}.{f' Row {claim.row}.' if claim.row else ''}",
        "",
        f"- **Says**: {claim.says}",
        f"- **Experiment**: {claim.experiment}",
        f"- **Controls**: {claim.controls}",
    ]
    if result is None:
        return [*lines, "", f"Not measured yet: `cambrian claim run {claim.name}`."]
    used = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    seeds = f"{result.seeds} seeds from {result.first_seed} on"
    measured = f"{seeds}, {result.date}, {used}, code `{result.code}`"
    if result.again:
        measured += f"; one seed the same {result.again.date} with code `{result.again.code}`"
    changed = " Stale: the code behind it has changed." if stale(claim, result) else ""
    return [
        *lines,
        "",
        f"**{result.verdict.capitalize()}** ({measured}).{changed}",
        "",
        "| tested | here | difference, paired | figures |",
        "|---|---|---|---|",
        *map(_finding, result.findings),
    ]


def _finding(finding: Finding) -> str:
    said = f"{finding.verdict}{' (control)' if finding.control else ''}"
    said = f"**{said}**" if finding.verdict == "did not reproduce" else said
    return f"| {finding.says} | {said} | {_interval(finding)} | {finding.said} |"


def _interval(finding: Finding) -> str:
    found = finding.estimate
    return f"{found.mean:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]"
