"""Import Avalanche beside a torchvision whose compiled operators do not load.

torchvision from a package index may be built for another torch than the one that is installed;
Avalanche imports it and, for tensors, needs none of its operators. They are declared, and never
defined: a call to one would raise.
"""

import importlib.util
import re
import warnings
from pathlib import Path

import torch

warnings.filterwarnings("ignore")


def declare_operators() -> None:
    found = importlib.util.find_spec("torchvision")
    text = (Path(found.submodule_search_locations[0]) / "_meta_registrations.py").read_text()
    names = set(re.findall(r'(?:register_meta\("|torchvision::)(\w+)"', text))
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in sorted(names):
        library.define(f"{name}(Tensor x) -> Tensor")
    declare_operators.library = library  # it is undone when the object goes


try:
    import torchvision  # noqa: F401
except RuntimeError:
    import sys

    for module in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[module]
    declare_operators()

import avalanche  # noqa: E402

__all__ = ["avalanche"]
