"""Billing: the plans, and an operator's grants, which outrank what is paid for.

Owns the tables plans and plan_grants. Invariant: an organization has at most one standing grant; whoever reserves while
its plan changes is counted by the old plan or by the new one, never by neither.
"""

from kijko.services.billing.plans import Plan, plans

__all__ = ["Plan", "plans"]
