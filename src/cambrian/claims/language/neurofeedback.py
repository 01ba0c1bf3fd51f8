"""What a model can say of its own activations, and do with them, from examples in context.

Ji-An et al. 2025, arXiv 2505.13763. An axis is a direction of the activations; a sentence's label
is on which side of the median it falls. *Report*: after N sentences with their labels, what is the
label of the next? *Control*: after N labels with their sentences, write a sentence for this label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cambrian.claims.language.corpus import FIRST_WORD, SCORES, Tokens, laid_out

Floats = NDArray[np.float64]


class Model(Protocol):
    """What is asked: `transformer.Reader`, or a stand-in."""

    def logits(self, tokens: Tokens) -> Floats:
        """Of what follows the tokens (n, t) so far: (n, t, different tokens)."""
        ...

    def activations(self, words: Tokens) -> Floats:
        """The mean hidden state (n, width) of each sentence (n, length)."""
        ...


@dataclass(frozen=True)
class Axis:
    """A direction (width,) of the activations, and the median projection on it."""

    direction: Floats
    median: float

    def project(self, activations: Floats) -> Floats:
        """Where activations (n, width) lie on it: (n,)."""
        return np.asarray(activations @ self.direction, dtype=np.float64)

    def labels(self, activations: Floats) -> Tokens:
        """Of activations (n, width): 1 above the median, else 0; (n,)."""
        return (self.project(activations) > self.median).astype(np.int64)


def axis(direction: Floats, activations: Floats) -> Axis:
    """The axis along a direction (width,), with the median of activations (n, width)."""
    return Axis(direction, float(np.median(activations @ direction)))


def principal_components(activations: Floats) -> Floats:
    """Unit directions (width, width) of activations (n, width), that of the most variance first."""
    centred = activations - activations.mean(axis=0)
    return np.asarray(np.linalg.svd(centred, full_matrices=False)[2], dtype=np.float64)


def logistic_direction(activations: Floats, labels: Tokens) -> Floats:
    """The unit normal (width,) of a logistic regression: labels (n,) on activations (n, width)."""
    fitted = LogisticRegression(max_iter=1000).fit(activations, labels).coef_[0]
    return np.asarray(fitted / np.linalg.norm(fitted), dtype=np.float64)


def report(model: Model, words: Tokens, labels: Tokens) -> Floats:
    """How often the model says the right label of a sentence, after 0, 1, … others with theirs.

    Args:
        words: (prompts, m, length). labels: (prompts, m), 0 or 1.

    Returns:
        Accuracies (m,); both labels equally likely is half right.
    """
    logits = model.logits(laid_out(words, labels, score_first=False))
    asked = np.arange(words.shape[1]) * (words.shape[2] + 1) + words.shape[2]
    lead = logits[:, asked, SCORES[1]] - logits[:, asked, SCORES[0]]
    right = np.where(lead == 0, 0.5, (lead > 0) == labels)
    return np.asarray(right.mean(axis=0), dtype=np.float64)


def outside(activations: Floats, labels: Tokens, penalty: float = 1.0) -> float:
    """How often a ridge regression on the activations (prompts, m, width) of a prompt's first m - 1
    sentences, with their labels (prompts, m), is right about the last one: what the examples tell
    a learner that sees the activations themselves."""
    sign = 2.0 * labels - 1
    shift = activations[:, :-1].mean(axis=1, keepdims=True)
    known, asked = activations[:, :-1] - shift, activations[:, -1] - shift[:, 0]
    known, asked = (each / activations.std() for each in (known, asked))
    gram = known @ known.transpose(0, 2, 1) + penalty * np.eye(known.shape[1])
    weights = np.linalg.solve(gram, sign[:, :-1, None])
    said = np.einsum("pmw,pw->pm", known, asked)[:, None] @ weights
    return float(((said[:, 0, 0] > 0) == (labels[:, -1] == 1)).mean())


def written(
    model: Model, words: Tokens, labels: Tokens, score: int, rng: np.random.Generator
) -> Tokens:
    """Sentences (prompts, length) that the model writes for a score, word by word at temperature 1,
    after examples (prompts, m, length) with labels (prompts, m) before them."""
    prompt = laid_out(words, labels, score_first=True)
    prompt = np.concatenate([prompt, np.full((len(words), 1), SCORES[score])], axis=1)
    for _ in range(words.shape[2]):
        logits = model.logits(prompt)[:, -1, FIRST_WORD:]
        word = FIRST_WORD + (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        prompt = np.concatenate([prompt, word[:, None]], axis=1)
    return prompt[:, -words.shape[2] :]


def control(
    model: Model, along: Axis, words: Tokens, labels: Tokens, rng: np.random.Generator
) -> float:
    """Cohen's d of the projections of what the model writes for score 1, over those for score 0,
    after examples (prompts, m, length) with labels (prompts, m)."""
    low, high = (
        along.project(model.activations(written(model, words, labels, score, rng)))
        for score in (0, 1)
    )
    return cohens_d(high, low)


def cohens_d(one: Floats, other: Floats) -> float:
    """The difference of the means of (n,) and (m,) numbers, in pooled standard deviations; 0 where
    no number differs from another (Cohen 1988, ch. 2)."""
    freedom = len(one) + len(other) - 2
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    difference = float(one.mean() - other.mean())
    return difference / float(np.sqrt(squares / freedom)) if squares > 0 else 0.0


def drawn(
    rng: np.random.Generator, words: Tokens, count: int, sentences: int
) -> tuple[Tokens, Tokens]:
    """Prompts of sentences out of words (n, length): which (count, sentences), and their words."""
    which = rng.integers(0, len(words), (count, sentences))
    return which, words[which]


def axes_of(activations: Floats, topic: Tokens, components: Mapping[str, int]) -> dict[str, Axis]:
    """The principal components of activations (n, width) by number from 1, and the axis of a
    logistic regression of the topic (n,), called `topic`."""
    found = principal_components(activations)
    directions = {name: found[number - 1] for name, number in components.items()}
    directions["topic"] = logistic_direction(activations, topic)
    return {name: axis(each, activations) for name, each in directions.items()}
