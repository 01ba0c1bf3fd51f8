"""The claim on metacognition: its language, axes and measures are what they say."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from cambrian.claims import code
from cambrian.claims.claim import Figures
from cambrian.claims.language import neurofeedback as feedback
from cambrian.claims.language.corpus import BEGIN, FIRST_WORD, SCORES, Corpus, Tokens, laid_out
from cambrian.claims.language.session import SHORT, components, session, shots
from cambrian.claims.language.transformer import Size, pace, rules_at, trained
from cambrian.claims.papers import metacognition
from cambrian.claims.registry import claim

CORPUS = Corpus()


def values_of(words: Tokens) -> Tokens:
    """The value (0 or 1) of the attribute that each word speaks of."""
    return (words - FIRST_WORD) // CORPUS.synonyms % 2


class Stand:
    """A stand-in for a model: it says and writes what the first word's value says, or a coin."""

    def __init__(self, coin: bool = False) -> None:
        self.coin = coin
        self.rng = np.random.default_rng(0)

    def logits(self, tokens: Tokens) -> NDArray[np.float64]:
        """As a model's; sure of the score, and of words of the value that the last score names."""
        found = np.zeros((*tokens.shape, CORPUS.tokens))
        first = np.roll(tokens, CORPUS.length - 1, axis=1)  # the first word, at a sentence's last
        value = np.where(first >= FIRST_WORD, values_of(first), 0)
        if self.coin:
            value = self.rng.integers(0, 2, value.shape)
        for score in (0, 1):
            found[:, :, SCORES[score]] = 100.0 * (value == score)
        named = np.array([row[np.isin(row, SCORES)][-1] for row in tokens]) - SCORES[0]
        words = np.arange(FIRST_WORD, CORPUS.tokens)
        found[:, -1, FIRST_WORD:] = 100.0 * (values_of(words) == named[:, None])
        return found

    def activations(self, words: Tokens) -> NDArray[np.float64]:
        """The values of the words (n, length)."""
        return values_of(words).astype(np.float64) + 0.01 * (words % 2)


def asked(sentences: int = 9, prompts: int = 400) -> tuple[Tokens, Tokens]:
    """Prompts (prompts, sentences, length), labelled by their first word's value."""
    words, _ = CORPUS.sentences(np.random.default_rng(1), prompts * sentences)
    shaped = words.reshape(prompts, sentences, -1)
    return shaped, values_of(shaped[:, :, 0])


def test_who_knows_reports_always_and_a_coin_half_of_the_time() -> None:
    words, labels = asked()
    assert feedback.report(Stand(), words, labels).tolist() == [1.0] * 9
    assert feedback.report(Stand(), words, 1 - labels).tolist() == [0.0] * 9
    coin = feedback.report(Stand(coin=True), words, labels)
    assert abs(coin.mean() - 0.5) < 0.04  # 3600 throws: five standard errors


def test_who_says_nothing_either_way_is_half_right() -> None:
    class Mute(Stand):
        def logits(self, tokens: Tokens) -> NDArray[np.float64]:
            return np.zeros((*tokens.shape, CORPUS.tokens))

    assert feedback.report(Mute(), *asked()).tolist() == [0.5] * 9


def test_who_writes_what_the_score_names_has_an_effect_of_that_sign() -> None:
    words, labels = asked(sentences=4, prompts=60)
    rng = np.random.default_rng(2)
    up = feedback.axis(np.ones(CORPUS.length), Stand().activations(words.reshape(240, -1)))
    down = feedback.Axis(-up.direction, -up.median)
    written = feedback.written(Stand(), words, labels, 1, rng)
    assert written.shape == (60, CORPUS.length) and (values_of(written) == 1).all()
    assert feedback.control(Stand(), up, words, labels, rng) > 5
    assert feedback.control(Stand(), down, words, labels, rng) < -5


def test_the_effect_size_is_worked_out_by_hand() -> None:
    # means 5 and 2; squares 8 and 2 about them, over 3 + 3 - 2: a pooled variance of 2.5
    one, other = np.array([3.0, 5.0, 7.0]), np.array([1.0, 2.0, 3.0])
    assert feedback.cohens_d(one, other) == pytest.approx(3 / 2.5**0.5)
    assert feedback.cohens_d(other, one) == pytest.approx(-3 / 2.5**0.5)
    assert feedback.cohens_d(np.ones(3), np.ones(3)) == 0.0


def test_components_are_those_of_a_known_covariance() -> None:
    """The axes of a plane turned by 30°, with variances of 9 and 1 and none beside it."""
    turn = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6)], [-0.5, np.cos(np.pi / 6)]])
    grid = np.array([[3.0, 1.0], [3.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]])
    found = feedback.principal_components(grid @ turn + np.array([10.0, -4.0]))
    assert np.abs(np.sum(found * turn, axis=1)) == pytest.approx([1.0, 1.0])


def test_labels_are_split_at_the_median_and_the_topic_is_found() -> None:
    rng = np.random.default_rng(3)
    topic = rng.integers(0, 2, 500)
    activations = rng.normal(size=(500, 6))
    activations[:, 4] += 8.0 * topic
    axes = feedback.axes_of(activations, topic, {"PC1": 1, "PC6": 6})
    for along in axes.values():
        assert along.labels(activations).sum() == 250
    assert axes["topic"].direction[4] > 0.9
    assert abs(axes["PC1"].direction[4]) > 0.9 and abs(axes["PC6"].direction[4]) < 0.2


def test_a_learner_outside_finds_what_the_examples_tell_and_no_more() -> None:
    rng = np.random.default_rng(4)
    activations = rng.normal(size=(600, 9, 2))
    assert feedback.outside(activations, (activations[:, :, 0] > 0).astype(np.int64)) > 0.75
    assert abs(feedback.outside(activations, rng.integers(0, 2, (600, 9))) - 0.5) < 0.1


def test_a_document_has_its_scores_where_its_form_says() -> None:
    words = np.array([[[5, 6, 7], [8, 9, 10]]])
    scores = np.array([[1, 0]])
    yes, no = SCORES[1], SCORES[0]
    after, before = (laid_out(words, scores, first)[0].tolist() for first in (False, True))
    assert after == [BEGIN[0], 5, 6, 7, yes, 8, 9, 10, no]
    assert before == [BEGIN[1], yes, 5, 6, 7, no, 8, 9, 10]


def test_a_document_is_scored_by_one_rule_of_its_own() -> None:
    """Where the topic is the rule, sentences that speak of it agree or disagree all together."""
    made = CORPUS.documents(np.random.default_rng(5), 200, 9, score_first=False, rules=1)
    sentences = made[:, 1:].reshape(200, 9, CORPUS.length + 1)
    words, scores = sentences[:, :, :-1], sentences[:, :, -1:] - SCORES[0]
    of_topic = words < FIRST_WORD + 2 * CORPUS.synonyms
    agrees = values_of(words) == scores
    turned = 0
    for document in range(200):
        found = set(agrees[document][of_topic[document]].tolist())
        assert len(found) == 1
        turned += found == {False}
    assert 60 < turned < 140


def test_a_model_sees_nothing_of_what_comes_later() -> None:
    reader = trained(CORPUS, SHORT, 0)
    some = CORPUS.documents(np.random.default_rng(6), 4, 9, score_first=False)
    other = some.copy()
    other[:, 20:] = FIRST_WORD
    assert reader.logits(some)[:, :20] == pytest.approx(reader.logits(other)[:, :20], abs=1e-5)
    assert reader.activations(some[:, 1:4]).shape == (4, SHORT.width)


def test_the_same_seed_gives_the_same_figures_and_another_others() -> None:
    first = session(True, 100)
    session.cache_clear()
    assert session(True, 100) == first
    assert session(True, 101) != first


def test_training_is_paced_and_the_topic_comes_first() -> None:
    assert [pace(done) for done in (0.0, 0.05, 0.1, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 0.0])
    assert [rules_at(done, 3) for done in (0.0, 0.4, 0.5, 0.7, 1.0)] == [1, 1, 2, 3, 3]


def test_the_axes_and_examples_that_are_judged_are_those_that_are_measured() -> None:
    assert list(components(Size().width)) == list(metacognition.COMPONENTS)
    assert shots(Size().sentences) == list(metacognition.SHOTS)


def test_slopes_of_the_claim_are_worked_out_by_hand() -> None:
    pieces = {
        name: [{"x": -2.0 * at, metacognition.MOST: 0.5}]
        for at, name in enumerate(metacognition.COMPONENTS)
    }
    assert metacognition.fall("x")(Figures(pieces)) == pytest.approx([2.0])
    reports = {f"report_{n}": 0.5 + 0.1 * at for at, n in enumerate(metacognition.SHOTS)}
    assert metacognition.rise(Figures({"PC1": [reports]})) == pytest.approx([0.1])


def test_the_language_counts_for_staleness_and_torch_waits_until_it_is_run() -> None:
    assert "cambrian.claims.language.transformer" in code.hashes(claim("metacognition"))
    assert "cambrian.claims.language.transformer" not in code.hashes(claim("ewc"))
    program = (
        "import sys; from cambrian.claims.registry import claims; claims();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0
