"""Trials: a prompt is tried on a model while somebody waits, and no execution is recorded.

Owns no table. A trial counts as an oracle query, and what it used is in the usage ledger, under the trial's id; it is
no execution, so no statistic of executions has it. It runs in the API's process, once, and is not tried again.
Invariants: its quota is taken before a model is asked, and given back where none ran; one whose process dies is given
back after its deadline by the sweep (`usage.close`), since nobody knows what became of it.
"""

from kijko.services.trials.checking import Wanted, check_prompt, check_skill
from kijko.services.trials.running import Trials

__all__ = ["Trials", "Wanted", "check_prompt", "check_skill"]
