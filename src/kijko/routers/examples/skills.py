"""Examples of what is answered about skills."""

from typing import Final

from kijko.routers.examples.made_up import DONE, EARLIER, EXECUTION, SKILL, THEN, YOU, Json, page

_EXPORTED: Final[Json] = {
    "name": "Summarise",
    "description": None,
    "category": "transformation",
    "promptTemplate": "Summarise in {{language}}:\n\n{{text}}",
    "model": "echo",
    "parameters": {"temperature": 0.2},
    "inputSchema": [
        {"name": "text", "type": "string", "required": True},
        {"name": "language", "type": "string", "default": "English"},
    ],
    "outputFormat": "markdown",
    "context": None,
    "isActive": True,
    "isPublic": False,
    "starCount": 0,
    "rating": None,
    "ratingCount": 0,
}
SUMMARISE: Final[Json] = {
    "id": SKILL,
    "userId": YOU,
    **_EXPORTED,
    "version": 2,
    "executionCount": 1,
    "lastExecutedAt": THEN,
    "createdAt": EARLIER,
    "updatedAt": THEN,
}
"""A skill."""
_NEW: Final[Json] = {
    **SUMMARISE,
    "version": 1,
    "executionCount": 0,
    "lastExecutedAt": None,
    "createdAt": THEN,
}
_VERSION: Final[Json] = {
    "version": 2,
    **{
        name: _EXPORTED[name]
        for name in ("promptTemplate", "model", "parameters", "inputSchema", "outputFormat", "context")
    },
    "createdAt": THEN,
    "createdBy": YOU,
}
RUN: Final[Json] = {
    "id": EXECUTION,
    "skillId": SKILL,
    "userId": YOU,
    "executionType": "manual",
    "referenceId": None,
    "input": {"text": "The quick brown fox jumps over the lazy dog."},
    "output": "A fox jumps over a dog.",
    "tokensUsed": 30,
    "promptTokens": 20,
    "completionTokens": 10,
    "durationMs": 800,
    "costCents": 0.05,
    "status": "completed",
    "errorMessage": None,
    "errorCode": None,
    "model": "echo",
    "skillVersion": 2,
    "attempts": 1,
    "retryOf": None,
    "citations": None,
    "executedAt": THEN,
    "completedAt": "2026-01-31T09:30:00.800000Z",
}
"""A run of it, as lists show it."""
BY_STATUS: Final[Json] = {"pending": 0, "running": 0, "completed": 1, "failed": 0, "cancelled": 0}
BY_TYPE: Final[Json] = {"manual": 1, "habit": 0, "reflex": 0, "api": 0}
DASHBOARD: Final[Json] = {
    "overview": {"totalRuns": 1, "successRate": 100, "avgTokens": 30, "avgDurationMs": 800, "totalCostCents": 0.05},
    "executionsOverTime": [
        {"date": "2026-01-30", "count": 0, "successCount": 0, "failureCount": 0, "tokens": 0, "costCents": 0},
        {"date": "2026-01-31", "count": 1, "successCount": 1, "failureCount": 0, "tokens": 30, "costCents": 0.05},
    ],
    "executionsByType": BY_TYPE,
    "executionsByStatus": BY_STATUS,
    "skillBreakdown": None,
}
_PENDING: Final[Json] = {
    "executionId": EXECUTION,
    "status": "pending",
    "output": None,
    "tokensUsed": None,
    "durationMs": None,
    "error": None,
}
_ENDED: Final[Json] = {
    **_PENDING,
    "status": "completed",
    "output": RUN["output"],
    "tokensUsed": 30,
    "durationMs": 800,
}
_HABIT: Final[Json] = {
    "id": "3c4d5e6f-7a8b-4c9d-8e0f-1a2b3c4d5e6f",
    "skillId": SKILL,
    "userId": YOU,
    "scheduleCron": "0 9 * * 1",
    "scheduleDescription": None,
    "timezone": "Europe/Amsterdam",
    "lastRunAt": None,
    "nextRunAt": "2026-02-02T08:00:00.000000Z",
    "runCount": 0,
    "isActive": True,
    "config": {"text": "The week's news"},
    "consecutiveFailures": 0,
    "lastErrorMessage": None,
    "createdAt": THEN,
    "updatedAt": THEN,
}

EXAMPLES: Final = {
    "skills_create": _NEW,
    "skills_import": _NEW,
    "skills_duplicate": {**_NEW, "id": "5c9f3071-2d4e-4b6f-8a81-9c7d6e5f4a3b", "name": "Summarise (Copy)"},
    "skills_list": page(skills=[SUMMARISE]),
    "skills_get": SUMMARISE,
    "skills_get_full": {**SUMMARISE, "habits": [_HABIT], "reflexes": [], "recentExecutions": [RUN]},
    "skills_put": SUMMARISE,
    "skills_patch": SUMMARISE,
    "skills_restore_version": {**SUMMARISE, "version": 3},
    "skills_delete": DONE,
    "skills_get_stats": {
        "totalSkills": 1,
        "activeSkills": 1,
        "totalExecutions": 1,
        "totalTokensUsed": 30,
        "totalCostCents": 0.05,
        "executionsByStatus": BY_STATUS,
        "executionsByType": BY_TYPE,
        "topSkillsByUsage": [{"skillId": SKILL, "name": "Summarise", "count": 1}],
    },
    "skills_get_dashboard": DASHBOARD,
    "skills_activate_many": {"success": True, "count": 1},
    "skills_deactivate_many": {"success": True, "count": 1},
    "skills_delete_many": {"success": True, "count": 1},
    "skills_export": {"skill": _EXPORTED, "version": "1.0"},
    "skills_list_versions": [_VERSION],
    "skills_get_version": _VERSION,
    "skills_list_executions": {"executions": [RUN], "total": 1},
    "skills_execute 202": _PENDING,
    "skills_execute 200": _ENDED,
    "skills_try_prompt": _ENDED,
    "skills_try_skill": _ENDED,
    "skills_list_models": [
        {
            "id": "echo",
            "provider": "local",
            "name": "Echo",
            "contextTokens": 1_000_000,
            "inputPrice": "0",
            "outputPrice": "0",
            "cacheReadPrice": None,
            "cacheWritePrice": None,
            "available": True,
        }
    ],
}
"""operation → its answer, with its status where there are several."""
