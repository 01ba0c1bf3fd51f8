"""A tiny causal transformer, trained from a seed on scored documents.

Made to learn in context within a minute on one core: each token has those just before it added, so
that a score knows its sentence; keys are queries as well (Kitaev et al. 2020, arXiv 2001.04451), so
that like attends to like from the start; attention falls with the distance, by head (ALiBi, Press
et al. 2022, arXiv 2108.12409); and the first documents have the topic alone for their rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cambrian.claims.language.corpus import BEGIN, SCORES, Corpus, Tokens

SLOPES = (1.0, 0.1, 0.0, 0.0)
"""By head: what attention loses for each token of distance, in nats."""


@dataclass(frozen=True)
class Size:
    """Of a model and its training.

    Attributes:
        width: of a hidden state; a multiple of the number of heads.
        layers: how many; what comes out of half of them is read.
        steps, batch: of training; a step sees `batch` documents, half of each form.
        sentences: in a document.
        rate: the highest learning rate; it rises for a tenth of the steps, then falls as a cosine.
    """

    width: int = 32
    layers: int = 2
    steps: int = 900
    batch: int = 64
    sentences: int = 9
    rate: float = 1e-2


class Block(nn.Module):
    """Attention, and a small network for each token; each is added to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.own = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Hidden states (n, t, width) to the next, under a bias (heads, t, t) on attention."""
        n, t, width = x.shape
        split = self.mix(self.before(x)).view(n, t, 2, len(SLOPES), -1)
        key, value = split.permute(2, 0, 3, 1, 4)
        looks = key @ key.transpose(2, 3) + bias
        mixed = looks.softmax(dim=3) @ value
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        out: Tensor = x + self.own(self.between(x))
        return out


class Transformer(nn.Module):
    """Foresees the next token, and shows the hidden states on the way."""

    def __init__(self, corpus: Corpus, size: Size) -> None:
        super().__init__()
        self.embedding = nn.Embedding(corpus.tokens, size.width)
        self.place = nn.Embedding(len(BEGIN) * (corpus.length + 1), size.width)
        nn.init.normal_(self.place.weight, std=0.2)
        self.length = corpus.length
        self.blocks = nn.ModuleList(Block(size.width) for _ in range(size.layers))
        self.norm, self.head = nn.LayerNorm(size.width), nn.Linear(size.width, corpus.tokens)

    def states(self, tokens: Tensor, layers: int | None = None) -> Tensor:
        """Hidden states (n, t, width) of tokens (n, t) after so many layers; None: after all."""
        x: Tensor = self.embedding(tokens)
        back = functional.pad(x, (0, 0, self.length, 0))
        x = back.unfold(1, self.length + 1, 1).sum(dim=3)
        place = torch.arange(tokens.shape[1]) % (self.length + 1)
        x = x + self.place(tokens[:, :1] * (self.length + 1) + place)
        bias = attention_bias(tokens.shape[1])
        for block in list(self.blocks)[:layers]:
            x = block(x, bias)
        return x

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n, t, tokens) of what follows each of the tokens (n, t)."""
        out: Tensor = self.head(self.norm(self.states(tokens)))
        return out


def attention_bias(length: int) -> Tensor:
    """Of ALiBi (heads, length, length): a slope by the distance, and nothing of what comes later
    (minus infinity)."""
    place = torch.arange(length)
    distance = (place[:, None] - place[None, :]).float()
    bias = -torch.tensor(SLOPES)[:, None, None] * distance
    return bias.masked_fill(distance < 0, -torch.inf)


@dataclass(frozen=True)
class Reader:
    """A model as it is asked, by arrays; `batch` documents at a time."""

    model: Transformer
    batch: int = 256

    @torch.no_grad()
    def logits(self, tokens: Tokens) -> NDArray[np.float64]:
        """Of what follows the tokens (n, t) so far: (n, t, different tokens)."""
        whole = torch.from_numpy(tokens)
        starts = range(0, len(whole), self.batch)
        parts = [self.model(whole[start : start + self.batch]) for start in starts]
        return torch.cat(parts).double().numpy()

    @torch.no_grad()
    def activations(self, words: Tokens) -> NDArray[np.float64]:
        """The mean hidden state (n, width) of each sentence (n, length), read alone, after half of
        the layers."""
        begun = np.concatenate([np.full((len(words), 1), BEGIN[0]), words], axis=1)
        middle = len(self.model.blocks) // 2
        states = self.model.states(torch.from_numpy(begun), middle)
        return states[:, 1:].mean(dim=1).double().numpy()


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """One thread of torch and random numbers from a seed; then all as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def trained(corpus: Corpus, size: Size, seed: int) -> Reader:
    """A model that has seen `size.steps` batches of documents, none of them twice.

    The loss is the mean cross-entropy over scores plus that over words: they count alike, although
    there are more words. Adam, gradients cut to a norm of 1.
    """
    rng = np.random.default_rng([seed, 0])
    with one_thread(seed):
        model = Transformer(corpus, size)
        adam = torch.optim.Adam(model.parameters(), lr=size.rate, betas=(0.9, 0.98))
        for step in range(size.steps):
            for group in adam.param_groups:
                group["lr"] = size.rate * pace(step / size.steps)
            adam.zero_grad()
            rules = rules_at(step / size.steps, corpus.attributes)
            some = [
                corpus.documents(rng, size.batch // 2, size.sentences, score_first, rules)
                for score_first in (False, True)
            ]
            loss(model, torch.from_numpy(np.concatenate(some))).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
    return Reader(model.eval())


def rules_at(done: float, attributes: int) -> int:
    """Of how many attributes, in order, one may be a document's rule, when such a part of the steps
    is done (0 to 1): the topic alone for three tenths and one share, then one more a share."""
    share = 1 / (2 * attributes)
    return min(attributes, 1 + int(max(0.0, done - 0.3) / share))


def pace(done: float) -> float:
    """The part of the highest rate, when such a part of the steps is done (both 0 to 1)."""
    warm = 0.1
    if done < warm:
        return done / warm
    return float(0.5 + 0.5 * np.cos(np.pi * (done - warm) / (1 - warm)))


def loss(model: Transformer, documents: Tensor) -> Tensor:
    """Mean cross-entropy over scores plus that over words, of documents (n, t); a scalar."""
    target = documents[:, 1:].flatten()
    logits = model(documents[:, :-1]).flatten(0, 1)
    each = functional.cross_entropy(logits, target, reduction="none")
    scores = target <= SCORES[-1]
    return each[scores].mean() + each[~scores].mean()
