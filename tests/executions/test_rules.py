"""Templates, inputs and retries, as pure decisions."""

import pytest

from kijko.models.enums import ExecutionErrorCode
from kijko.services.executions import rules
from kijko.services.executions.errors import InvalidInput


@pytest.mark.parametrize(
    ("template", "values", "prompt"),
    [
        ("Hi {{name}}!", {"name": "Ann"}, "Hi Ann!"),
        ("{{ a }}{{b}}{{a}}", {"a": "1", "b": 2}, "121"),
        ("{{text}}", {"text": "{{secret}}", "secret": "x"}, "{{secret}}"),
        ("{{text}}", {"text": "{{{{text}}}}"}, "{{{{text}}}}"),
        ("{{list}} {{map}} {{yes}}", {"list": [1, "é"], "map": {"k": None}, "yes": True}, '[1,"é"] {"k":null} true'),
        ("{{missing}}|", {}, "|"),
        ("{{payload}}", {"a": 1}, '{"a":1}'),
        ("{{payload}}", {"payload": "mine"}, "mine"),
        ("{{context}}", {}, "CODE"),
        ("{{ not a name }} {{}} {{1x}} {x}", {"x": "y"}, "{{ not a name }} {{}} {{1x}} {x}"),
        (r"\{{name}}\1", {"name": r"\g<0>"}, r"\\g<0>\1"),
    ],
)
def test_a_placeholder_becomes_its_value_in_one_pass(template: str, values: dict[str, object], prompt: str) -> None:
    assert rules.render(template, values, context="CODE") == prompt


def test_defaults_are_filled_and_undeclared_input_is_kept() -> None:
    schema = [
        {"name": "text", "type": "string", "required": True},
        {"name": "language", "type": "string", "default": "English"},
        {"name": "tone", "type": "string"},
    ]
    bound = rules.bind_input("{{text}}{{language}}{{tone}}", schema, {"text": "x", "language": None, "other": 1})
    assert bound == {"text": "x", "language": "English", "other": 1}


def test_every_wrong_input_is_named_at_once() -> None:
    schema = [
        {"name": "text", "type": "string", "required": True},
        {"name": "count", "type": "number"},
        {"name": "flag", "type": "boolean"},
        {"name": "items", "type": "array"},
        {"name": "map", "type": "object"},
    ]
    with pytest.raises(InvalidInput) as caught:
        rules.bind_input(
            "{{text}} {{undeclared}}", schema, {"count": True, "flag": 1, "items": {}, "map": [], "text": None}
        )
    details = caught.value.details
    assert isinstance(details, list)
    assert [entry["field"] for entry in details] == [
        "input.text",
        "input.count",
        "input.flag",
        "input.items",
        "input.map",
        "input.undeclared",
    ]


def test_what_the_server_binds_need_not_be_given() -> None:
    assert rules.bind_input("{{context}} {{payload}}", None, {}) == {}


@pytest.mark.parametrize("code", list(ExecutionErrorCode))
def test_only_what_may_pass_is_tried_again_and_three_times_at_most(code: ExecutionErrorCode) -> None:
    passing = {"PROVIDER_RATE_LIMITED", "PROVIDER_OVERLOADED", "TIMEOUT", "WORKER_LOST"}
    first, second, third = (rules.retry_delay_s(code, attempts, most=3) for attempts in (1, 2, 3))
    assert third is None
    assert (first is not None) == (second is not None) == (code in passing)
    if first is not None and second is not None:
        assert 1 <= first <= 2
        assert 2 <= second <= 4


def test_a_providers_retry_after_is_heeded_within_reason() -> None:
    code = ExecutionErrorCode.PROVIDER_RATE_LIMITED
    assert rules.retry_delay_s(code, 1, most=3, asked_s=30) == 30
    assert rules.retry_delay_s(code, 1, most=3, asked_s=86_400) == 300


def test_what_postgres_cannot_hold_is_replaced() -> None:
    assert rules.storable("a\x00b\ud800c") == "a\ufffdb?c"


def test_a_prompt_that_no_model_takes_is_measured_before_it_is_made() -> None:
    with pytest.raises(rules.PromptTooLong, match="40,000,000,000 characters"):
        rules.render("{{a}}" * 40_000, {"a": "x" * 1_000_000})
    assert len(rules.render("{{a}}" * 4, {"a": "x" * 1_000_000})) == 4_000_000
