"""Every resource of the stand-in; importing a module registers its routes."""

from kijko.local.stripe import account, customers

__all__ = ["account", "customers"]
