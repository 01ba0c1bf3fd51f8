"""How a table becomes numbers: written down once, from its first rows, and never looked at again.

What is needed of the data (means for cells that are missing, deviations, the values of a category)
is of the first `Plan.first` rows in their order. Of all rows only this is known beforehand: whether
a column is numbers, dates or texts, whether it is constant, and which classes there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["drift", "class-incremental", "domain", "regression"]
Sort = Literal["number", "date", "category"]


@dataclass(frozen=True)
class Column:
    """A column that learners see.

    Attributes:
        name: in the header.
        sort: number, date (as days) or category (one input of 0 or 1 for each of its values).
        mean, spread: of the first rows; of a category unused.
        values: of a category, those of the first rows, sorted; any other is all zeros.
    """

    name: str
    sort: Sort
    mean: float = 0.0
    spread: float = 1.0
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many inputs it becomes."""
        return len(self.values) if self.sort == "category" else 1


@dataclass(frozen=True)
class Plan:
    """All that was decided of a table.

    Attributes:
        label: the column to be told.
        columns: those that learners see, in the order of the header.
        classes: the labels, sorted; of regression, none.
        digest: SHA-256 of the file that this is about.
        separator: what stands between cells.
        order: the column that says which row comes first; "": the file's own order.
        domain: the column whose values are tasks; "" where there is none.
        first: how many of the first rows everything above was taken from.
        mean, spread: of the label in those rows, for regression.
    """

    label: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    digest: str
    separator: str = ","
    order: str = ""
    domain: str = ""
    first: int = 0
    mean: float = 0.0
    spread: float = 1.0

    @property
    def inputs(self) -> int:
        """How many values a learner is given for a row."""
        return sum(column.width for column in self.columns)
