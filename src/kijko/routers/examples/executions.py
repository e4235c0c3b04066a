"""Examples of what is answered about executions."""

from typing import Final

from kijko.routers.examples.made_up import DONE, SKILL, Json, page
from kijko.routers.examples.skills import BY_STATUS, BY_TYPE, DASHBOARD, RUN, SUMMARISE

_WITH_SKILL: Final[Json] = {**RUN, "skill": SUMMARISE}
_PROMPT: Final = "Summarise in English:\n\nThe quick brown fox jumps over the lazy dog."
_RUNNING: Final[Json] = {
    **_WITH_SKILL,
    "output": None,
    "tokensUsed": None,
    "promptTokens": None,
    "completionTokens": None,
    "durationMs": None,
    "costCents": None,
    "status": "running",
    "completedAt": None,
}

EXAMPLES: Final = {
    "executions_list": page(executions=[_WITH_SKILL]),
    "executions_list_recent": [_WITH_SKILL],
    "executions_list_running": [_RUNNING],
    "executions_get": {**RUN, "renderedPrompt": _PROMPT},
    "executions_get_full": {**_WITH_SKILL, "renderedPrompt": _PROMPT},
    "executions_export": [{**RUN, "skillName": "Summarise"}],
    "executions_cancel": DONE,
    "executions_retry": {"newExecutionId": "f1a2b3c4-5d6e-4f70-8b8c-0d1e2f3a4b5c", "status": "pending"},
    "executions_cleanup": {"deletedCount": 120, "freedSpaceMb": 0.4},
    "executions_get_stats": {
        "totalExecutions": 1,
        "successfulExecutions": 1,
        "failedExecutions": 0,
        "cancelledExecutions": 0,
        "totalTokensUsed": 30,
        "totalCostCents": 0.05,
        "averageDurationMs": 800,
        "executionsByType": BY_TYPE,
        "executionsByStatus": BY_STATUS,
        "dailyExecutions": [{"date": "2026-01-31", "count": 1, "tokens": 30}],
    },
    "executions_get_cost_breakdown": {
        "totalCostCents": 0.05,
        "costBySkill": [{"skillId": SKILL, "skillName": "Summarise", "costCents": 0.05, "executionCount": 1}],
        "costByType": {"manual": 0.05, "habit": 0, "reflex": 0, "api": 0},
        "costByDay": [{"date": "2026-01-31", "costCents": 0.05}],
    },
    "executions_get_performance": {
        "averageDurationMs": 800,
        "p50DurationMs": 800,
        "p90DurationMs": 800,
        "p99DurationMs": 800,
        "successRate": 100,
        "durationByHour": [{"hour": hour, "avgDurationMs": 800 if hour == 9 else 0} for hour in range(24)],
    },
    "executions_get_dashboard": {
        **DASHBOARD,
        "skillBreakdown": [{"skillId": SKILL, "name": "Summarise", "runs": 1}],
    },
    "executions_get_cost_projection": {
        "projectedCostCents": 1.5,
        "projectedRuns": 30,
        "averageDailyCost": 0.05,
    },
}
"""operation → its answer."""
