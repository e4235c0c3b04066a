"""The catalogue: the models that skills may name, their prices, and whether there is a key to run them with.

Owns no table: models and prices come with the price list that is installed.
"""

from kijko.services.catalogue.models import models

__all__ = ["models"]
