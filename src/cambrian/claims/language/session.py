"""Everything that is asked of one model of one seed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cambrian.claims.language import neurofeedback as feedback
from cambrian.claims.language.corpus import Corpus
from cambrian.claims.language.transformer import Reader, Size, one_thread, trained

SHORT = Size(steps=5, batch=8)
"""Of a smoke stage: it learns nothing."""


@dataclass(frozen=True)
class Asked:
    """How much is asked of a model.

    Attributes:
        sentences: that the axes and labels come from.
        prompts: for reports on an axis.
        samples: sentences written for each score, axis and kind of label.
    """

    sentences: int = 1024
    prompts: int = 512
    samples: int = 256


@functools.lru_cache(maxsize=32)
def session(smoke: bool, seed: int) -> Mapping[str, Mapping[str, float]]:
    """Train a model and ask it: figures of each axis (`PC1`, … and `topic`) and of `held out`, new
    documents scored as those in training. The labels of axes are used in no training."""
    size = SHORT if smoke else Size()
    asked = Asked(64, 16, 16) if smoke else Asked()
    corpus = Corpus()
    reader = trained(corpus, size, seed)
    with one_thread(seed):
        found = figures_of_axes(reader, corpus, size, asked, seed)
        found["held out"] = held_out(reader, corpus, size, asked.prompts, seed)
    return found


def components(width: int) -> dict[str, int]:
    """The principal components that are asked about, by name: 1, 2, 4, … up to the last."""
    return {f"PC{2**power}": 2**power for power in range(width.bit_length())}


def shots(sentences: int) -> list[int]:
    """How many examples come before the sentence that is asked about: 0, 1, 2, 4, …"""
    return [0, *(2**power for power in range((sentences - 1).bit_length()))]


def figures_of_axes(
    reader: Reader, corpus: Corpus, size: Size, asked: Asked, seed: int
) -> dict[str, dict[str, float]]:
    """Report and control on each axis: `report_N` after N examples, `outside` for a ridge
    regression that sees the activations of the same examples, `control` and `control_turned` with
    the examples' labels as they are and turned round (Cohen's d)."""
    words, values = corpus.sentences(np.random.default_rng([seed, 1]), asked.sentences)
    activations = reader.activations(words)
    axes = feedback.axes_of(activations, values[:, 0], components(size.width))
    found = {}
    for name, along in axes.items():
        rng = np.random.default_rng([seed, 2])  # the same prompts for each axis
        labels = along.labels(activations)
        which, prompts = feedback.drawn(rng, words, asked.prompts, size.sentences)
        right = feedback.report(reader, prompts, labels[which])
        figures = {f"report_{n}": float(right[n]) for n in shots(size.sentences)}
        figures["outside"] = feedback.outside(activations[which], labels[which])
        which, prompts = feedback.drawn(rng, words, asked.samples, size.sentences - 1)
        for kind, given in {"control": labels, "control_turned": 1 - labels}.items():
            figures[kind] = feedback.control(reader, along, prompts, given[which], rng)
        found[name] = figures
    return found


def held_out(reader: Reader, corpus: Corpus, size: Size, count: int, seed: int) -> dict[str, float]:
    """How often the last score of a new document is foreseen, whose rule is an attribute:
    `attribute_0`, the topic, and so on."""
    rng = np.random.default_rng([seed, 3])
    found = {}
    for attribute in range(corpus.attributes):
        words, values = corpus.sentences(rng, count * size.sentences)
        scores = values[:, attribute].reshape(count, size.sentences)
        scores ^= rng.integers(0, 2, (count, 1))
        prompts = words.reshape(count, size.sentences, -1)
        found[f"attribute_{attribute}"] = float(feedback.report(reader, prompts, scores)[-1])
    return found
