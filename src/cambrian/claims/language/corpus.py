"""Synthetic sentences of hidden binary attributes, and documents that score them.

A sentence has a value of 0 or 1 for each attribute; each of its words speaks of one attribute, the
first (the topic) most often. A document scores its sentences by a rule of its own: one attribute,
as it is or turned round. So a score can only be foreseen from the document's earlier sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEGIN = (0, 1)
"""The first token of a document with scores after sentences, and of one with them before."""
SCORES = (2, 3)
"""The tokens of score 0 and score 1."""
FIRST_WORD = 4

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """The language.

    Attributes:
        attributes: how many; the first is the topic.
        synonyms: words for each value of an attribute.
        length: words in a sentence.
        falloff: how often an attribute is spoken of, as a part of the one before it.
    """

    attributes: int = 3
    synonyms: int = 2
    length: int = 3
    falloff: float = 0.6

    @property
    def tokens(self) -> int:
        """How many different ones there are."""
        return FIRST_WORD + 2 * self.attributes * self.synonyms

    def sentences(self, rng: np.random.Generator, count: int) -> tuple[Tokens, Tokens]:
        """Words (count, length) and attributes (count, attributes), each 0 or 1."""
        values = rng.integers(0, 2, (count, self.attributes))
        weights = self.falloff ** np.arange(self.attributes)
        spoken = rng.choice(self.attributes, (count, self.length), p=weights / weights.sum())
        value = np.take_along_axis(values, spoken, axis=1)
        synonym = rng.integers(0, self.synonyms, spoken.shape)
        words = FIRST_WORD + (2 * spoken + value) * self.synonyms + synonym
        return words.astype(np.int64), values.astype(np.int64)

    def documents(
        self,
        rng: np.random.Generator,
        count: int,
        sentences: int,
        score_first: bool,
        rules: int | None = None,
    ) -> Tokens:
        """Scored documents (count, 1 + sentences * (length + 1)), each by a rule of its own: one of
        the first `rules` attributes (None: of all), each as likely as another."""
        words, values = self.sentences(rng, count * sentences)
        rule = rng.integers(0, min(rules or self.attributes, self.attributes), count).repeat(
            sentences
        )
        turned = rng.integers(0, 2, count).repeat(sentences)
        scores = values[np.arange(len(values)), rule] ^ turned
        shape = count, sentences
        return laid_out(words.reshape(*shape, -1), scores.reshape(shape), score_first)


def laid_out(words: Tokens, scores: Tokens, score_first: bool) -> Tokens:
    """Words (n, m, length) and scores (n, m) of 0 or 1, as documents (n, 1 + m * (length + 1)):
    each sentence with its score before it or after it."""
    score = np.asarray(SCORES)[scores][:, :, None]
    parts = [score, words] if score_first else [words, score]
    flat = np.concatenate(parts, axis=2).reshape(len(words), -1)
    return np.concatenate([np.full((len(words), 1), BEGIN[score_first]), flat], axis=1)
