"""Packages whose public names are imported when they are asked for.

A process that reads files needs one module of a package and not the database, HTTP and settings that the others bring:
each of them would cost it tens of megabytes.
"""

import importlib
import sys
from collections.abc import Callable, Mapping


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`.

    Args:
        package: its `__name__`.
        modules: module of the package → the names that are public from there, with spaces between. No name may be a
            module's own: the import system would put the module in its place.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def found(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return found
