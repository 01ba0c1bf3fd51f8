"""A small convolutional network: shared patches, strides instead of pooling.

LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section II; strides in
the place of pooling as in Springenberg et al. 2015, arXiv:1412.6806. A convolution is written as a
product with the patches (im2col), so that a part that projects a layer's inputs can see them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner, sized

CARD = {
    "name": "conv",
    "role": "network",
    "title": "small convolutional network",
    "paper": "LeCun et al. 1998, doi:10.1109/5.726791; strides: Springenberg et al. 2015, "
    "arXiv:1412.6806",
    "year": 1998,
    "claim": "What is learned of a patch in one place holds in all, so fewer samples are needed.",
    "measured": "",
    "knobs": {
        "channels": {"default": 12, "range": [4, 24], "scale": "log", "type": "int"},
        "kernel": {"default": 5, "choices": [3, 5, 7], "type": "choice"},
        "hidden": {"default": 96, "range": [32, 256], "scale": "log", "type": "int"},
        "gain": {"default": 2.45, "range": [0.7, 3.0], "scale": "log", "type": "float"},
    },
    "tags": ["network", "convolution"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Conv:
    """Two convolutions of stride 2 with `channels` and twice as many, then a layer of `hidden`.

    Inputs of one axis are a row of points, of two a picture, of three channels of pictures.
    """

    def __init__(
        self, channels: int = 12, kernel: int = 5, hidden: int = 96, gain: float = 2.45
    ) -> None:
        self.channels, self.kernel, self.hidden, self.gain = channels, kernel, hidden, gain

    def sizes(self, learner: PartsLearner, share: float) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer's matrix; the channels stay, the last layer shrinks."""
        shape = self.shape = (1, 1, *learner.spec.input_shape)[-3:]
        high = 1 if shape[1] == 1 else self.kernel
        self.window = (high, self.kernel)
        self.step = (1 if shape[1] == 1 else 2, 2)
        patch = high * self.kernel
        _, height, width = shape
        for _ in range(2):
            height, width = -(-height // self.step[0]), -(-width // 2)
        hidden = sized(self.hidden, share)
        return [
            (shape[0] * patch, self.channels),
            (self.channels * patch, 2 * self.channels),
            (2 * self.channels * height * width, hidden),
            (hidden, learner.width),
        ]

    def holds(self, learner: PartsLearner, share: float) -> float:
        return 4.0 * sum((a + 1) * b for a, b in self.sizes(learner, share))

    def wide(self, learner: PartsLearner, share: float) -> int:
        return sized(self.hidden, share)

    def network(self, learner: PartsLearner) -> list[Tensor]:
        generator = learner.generator()
        weights = []
        for fan_in, fan_out in self.sizes(learner, learner.share):
            bound = self.gain * fan_in**-0.5
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            weights += [weight, torch.zeros(fan_out)]
        return [weight.to(learner.device) for weight in weights]

    def run_layers(
        self, learner: PartsLearner, x: Tensor, weights: list[Tensor]
    ) -> Iterator[Tensor]:
        count, x = len(x), x.reshape(len(x), *self.shape)
        padding = (self.window[0] // 2, self.window[1] // 2)
        for index in (0, 2):
            sides = [-(-side // step) for side, step in zip(x.shape[2:], self.step, strict=True)]
            patches = F.unfold(x, self.window, padding=padding, stride=self.step)
            rows = patches.transpose(1, 2).reshape(-1, patches.shape[1])
            yield rows
            x = F.linear(rows, weights[index], weights[index + 1]).relu()
            x = x.view(count, -1, x.shape[1]).transpose(1, 2).reshape(count, -1, *sides)
        x = x.flatten(1)
        yield x
        x = F.linear(x, weights[4], weights[5]).relu()
        yield x
        yield F.linear(x, weights[6], weights[7])
