"""Other people's formats: each module here is one, named like its file, and is picked up by itself.

A format module offers `read(stream)`, which takes an open binary file and yields what `yidian.exchange.incoming`
describes, a Fault for each record that cannot be used, and never raises for what the file holds. `PAGES` tells whether
it yields pages or consultations; `ORIGIN` and `LICENCE` are what its content is marked with when the operator says
nothing, empty when the format cannot know. Its docstring's first line is its help.
"""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """Every format's name as the command line takes it, in order; loads none of them."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """The module of a format by its name, such as qa-csv."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
