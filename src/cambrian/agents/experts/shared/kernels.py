"""Kernel ridge regression on unit vectors, what it says of its own rows, and names that changed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGE = 0.02
SHARPNESS = 6.0
SURE = 2.5
COPY = 0.9995


def arc(one: Tensor, two: Tensor, even: bool) -> Tensor:
    """The arc-cosine kernel of order one (Cho and Saul 2009, equation 6) of unit vectors (A, n) and
    (B, n), with the rows' mirror images if it is to be even: (A, B)."""
    cosine = (one @ two.T).clamp(-1, 1)
    return _arc(cosine) + _arc(-cosine) if even else _arc(cosine)


def _arc(cosine: Tensor) -> Tensor:
    angle = torch.arccos(cosine)
    return ((1 - cosine.square()).clamp(min=0).sqrt() + (torch.pi - angle) * cosine) / torch.pi


def targets(y: Tensor, classes: int) -> Tensor:
    """One column a class, of mean zero where classes are as frequent: (B, classes)."""
    return F.one_hot(y, classes).float() - 1.0 / classes


def chances(scores: Tensor) -> Tensor:
    """From what a ridge head says to probabilities."""
    return (SHARPNESS * scores).softmax(1)


def factor(kernel: Tensor) -> Tensor:
    """The Cholesky factor of a kernel matrix with the ridge on its diagonal."""
    return torch.linalg.cholesky(kernel + RIDGE * torch.eye(len(kernel)))


def left_out(kernel: Tensor, y: Tensor, classes: int) -> Tensor:
    """What is said of each row by all the others: (B, classes), in closed form (Allen 1974)."""
    inverse = torch.cholesky_inverse(factor(kernel))
    wanted = targets(y, classes)
    return wanted - (inverse @ wanted) / inverse.diagonal()[:, None]


def likeliest(table: Tensor, naming: Tensor) -> Tensor:
    """The one-to-one naming (classes,) with the largest sum over `table` (class, name), climbed to
    from `naming` by swaps of two."""
    naming = naming.clone()
    rows = torch.arange(len(table))
    for _ in range(3 * len(table)):
        own, swapped = table[rows, naming], table[:, naming]
        gain = swapped + swapped.T - own[:, None] - own
        place = int(gain.argmax())
        if float(gain.flatten()[place]) <= 1e-6:
            break
        one, two = divmod(place, len(table))
        naming[[one, two]] = naming[[two, one]]
    return naming


def senseless(rows: tuple[Tensor, Tensor], classes: int) -> bool:
    """Whether labels cannot be told from the rows (z, y), copies left aside: each row is asked
    about with itself left out, by the kernel and by its even form, and no better than chance."""
    z, y = rows
    near = (z @ z.T).triu(1)
    once = (near < COPY).all(0)
    z, y = z[once], y[once]
    share = torch.bincount(y, minlength=classes).float() / max(len(y), 1)
    chance = float(share.max())
    if len(y) < 40 or chance > 0.5:
        return False
    bound = chance + SURE * (chance * (1 - chance) / len(y)) ** 0.5
    for even in (False, True):
        said = left_out(arc(z, z, even), y, classes).argmax(1)
        if float((said == y).float().mean()) > bound:
            return False
    return True


def contradiction(
    old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor], classes: int, even: bool
) -> tuple[str, Tensor]:
    """Whether old rows (z, y) mislead about the new ones: "none", "names" (they do not once classes
    are renamed as is said beside) or "all".

    Each new row is asked about with itself left out, once with and once without the old rows, among
    the classes that the new rows have; only clear differences count (McNemar 1947).
    """
    (old_z, old_y), (z, y) = old, new
    absent = torch.bincount(y, minlength=classes) == 0
    same = torch.arange(classes)

    def right(scores: Tensor) -> Tensor:
        return scores[-len(y) :].masked_fill(absent, -1e6).argmax(1) == y

    def worse(one: Tensor, two: Tensor) -> bool:
        lost, won = int((two & ~one).sum()), int((one & ~two).sum())
        return lost - won > SURE * max(lost + won, 1) ** 0.5

    both, n = torch.cat((old_z, z)), len(old_z)
    kernel = arc(both, both, even)
    alone = right(left_out(kernel[n:, n:], y, classes))
    together = right(left_out(kernel, torch.cat((old_y, y)), classes))
    if not worse(together, alone):
        return "none", same
    solved = torch.cholesky_solve(targets(old_y, classes), factor(kernel[:n, :n]))
    said = (0.02 + chances(kernel[n:, :n] @ solved)).log()
    table = torch.zeros(classes, classes).index_add_(0, y, said).T
    naming = likeliest(table, same)
    renamed = right(left_out(kernel, torch.cat((naming[old_y], y)), classes))
    gained = int(renamed.sum()) >= max(int(alone.sum()), int(together.sum()))
    return ("names", naming) if gained and not worse(renamed, alone) else ("all", same)
