"""Kijko's backend: repositories become context, skills run over it, every run is accounted for."""

__version__ = "0.1.0"
