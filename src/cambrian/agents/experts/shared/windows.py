"""Kernel ridge heads over the latest rows, mixed by Hedge: for streams that drift."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from parts.kernels import arc, chances, factor, likeliest, targets
from torch import Tensor

SIZES = (15, 30, 60, 120, 240, 480)
RATE, SHARE = 1.0, 0.05
FROZEN, FREEZE_EVERY = 12, 60
ASKED = 60
CLEARLY, EACH_NAME = 6.0, 1.5


class Windows:
    """Rows stand newest first, so that one Cholesky factor of their kernel matrix holds those of
    all shorter windows. Beside these heads stand frozen ones (a concept may return), one whose
    hidden classes are named by the naming under which late labels are likeliest (after Goldberger
    and Ben-Reuven 2017), and chance. Hedge with a fixed share mixes them (Herbster and Warmuth
    1998).

    Args:
        classes, inputs: of the stream.
        even: whether a row and its mirror image are one.
        room: bytes; the windows are as long as fits in, at most the last of `SIZES`.
    """

    def __init__(self, classes: int, inputs: int, even: bool, room: float) -> None:
        self.classes, self.even = classes, even
        self.z = torch.zeros(0, inputs)
        self.y = self.hidden = torch.zeros(0, dtype=torch.int64)
        self.kernel = torch.zeros(0, 0)
        self.naming = torch.arange(classes)  # what each hidden class is called
        self.said = self.asked = torch.zeros(0, classes)
        self.frozen: list[tuple[Tensor, Tensor]] = []
        self.since = 0
        self.weights, self.heads = torch.zeros(0), torch.zeros(0, 0, classes)
        left = (room - FROZEN * FREEZE_EVERY * (inputs + 4 * classes)) / 4
        each = (inputs + 2 * classes + 4) / 2  # of a row, beside the kernel: most^2 + 2 each most
        self.most = int(max(30, min(SIZES[-1], (max(left, 0.0) + each**2) ** 0.5 - each)))

    def add(self, z: Tensor, y: Tensor) -> None:
        """The newest rows: z (B, inputs) unit vectors, y (B,)."""
        z, y = z.flip(0)[: self.most], y.flip(0)[: self.most]
        kept = min(len(self.z), self.most - len(z))
        cross, own = arc(z, self.z[:kept], self.even), arc(z, z, self.even)
        lower = torch.cat((cross.T, self.kernel[:kept, :kept]), 1)
        self.kernel = torch.cat((torch.cat((own, cross), 1), lower))
        self.z = torch.cat((z, self.z[:kept]))
        self.y = torch.cat((y, self.y[:kept]))
        self.hidden = torch.cat((torch.argsort(self.naming)[y], self.hidden[:kept]))
        self._rename()

    def predict(self, z: Tensor) -> Tensor:
        """Chances (B, classes) of unit vectors (B, inputs)."""
        cross, lower = arc(z, self.z, self.even), factor(self.kernel)
        heads = []
        for size in SIZES:
            n = min(size, len(self.z))
            heads.append(chances(cross[:, :n] @ self._solved(self.y[:n], lower)))
        self.asked = chances(cross @ self._solved(self.hidden, lower))
        heads.append(self.asked[:, torch.argsort(self.naming)])
        if self.since >= FREEZE_EVERY:
            self._freeze(len(heads), lower)
        for rows, solved in self.frozen:
            heads.append(chances(arc(z, F.normalize(rows.float(), dim=1), self.even) @ solved))
        self.heads = torch.stack((*heads, torch.full_like(self.asked, 1.0 / self.classes)))
        if len(self.weights) != len(self.heads):
            self.weights = torch.full((len(self.heads),), 1.0 / len(self.heads))
        return torch.einsum("h,hbc->bc", self.weights, self.heads)

    def judge(self, y: Tensor) -> None:
        """The labels (B,) of what was asked about last: a head's weight falls by its surprise."""
        self.since += len(y)
        if self.heads.shape[1] != len(y):
            return
        right = self.heads[:, torch.arange(len(y)), y].clamp(min=0.01)
        weights = (self.weights.log() + RATE * right.log().sum(1)).softmax(0)
        self.weights = (1 - SHARE) * weights + SHARE / len(weights)
        self.said = torch.cat((self.asked.flip(0), self.said))[:ASKED]

    def _solved(self, y: Tensor, lower: Tensor) -> Tensor:
        return torch.cholesky_solve(targets(y, self.classes), lower[: len(y), : len(y)])

    def _freeze(self, usual: int, lower: Tensor) -> None:
        """Keep the head over the latest rows; it begins with its share, and where the oldest has to
        go for it, that one's weight is lost."""
        n = min(FREEZE_EVERY, len(self.z))
        rows = (self.z[:n] * 127 / self.z[:n].abs().max()).round().to(torch.int8)
        before = self.weights[usual:-1]
        if len(self.frozen) == FROZEN:
            self.frozen, before = self.frozen[1:], before[1:]
        self.frozen.append((rows, self._solved(self.y[:n], lower)))
        self.since = 0
        joined = torch.full((1,), SHARE)
        grown = torch.cat((self.weights[:usual], before, joined, self.weights[-1:]))
        self.weights = grown / grown.sum()

    def _rename(self) -> None:
        """The naming under which the latest labels are likeliest, if they are clearly likelier."""
        best, found, since = CLEARLY, self.naming, 0
        logs = (0.02 + self.said).log()
        for count in range(10, len(logs) + 1, 10):
            names = self.y[:count]
            table = torch.zeros(self.classes, self.classes)
            table = table.index_add_(0, names, logs[: len(names)]).T
            naming, rows = likeliest(table, self.naming), torch.arange(self.classes)
            gain = float((table[rows, naming] - table[rows, self.naming]).sum())
            gain -= EACH_NAME * float((naming != self.naming).sum())
            if gain > best:
                best, found, since = gain, naming, count
        if since:
            self.naming = found
            self.hidden[:since] = torch.argsort(found)[self.y[:since]]
