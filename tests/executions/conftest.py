"""A skill's context needs an index."""

from tests.search.conftest import indexed, tenants

__all__ = ["indexed", "tenants"]
