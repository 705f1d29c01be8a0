import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.profiles import ProfileText, parse_profile
from aisbx.profiles.schema import Limits, json_schema
from aisbx.types import LIMITS

PUBLISHED = Path(__file__).parents[3] / "docs/profile.schema.json"


def test_the_published_schema_is_the_models_own() -> None:
    """To renew it: `.venv/bin/python -m tests.core.profiles.test_schema`."""
    assert json.loads(PUBLISHED.read_text()) == json_schema()


def test_the_published_schema_is_a_valid_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_models_limits_are_those_of_the_types() -> None:
    assert list(Limits.model_fields) == list(LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        "description: x\nextends: [base]\nlimits: {memory: 1G, pids: {amount: 5, required: true}}\nnetwork: none\n",
        "network: {allow: [a.org]}\nmounts: [{source: /a, mode: rw}]\nmemory: 1G\ncpu: 0.5\n",
        "extends: base\nenvironment: {A: 1}\nworkspace: cow\nshell: /bin/sh\n",
        "limits: {ram: 1}\n",
        "network: all\n",
        "mounts: [{target: /a}]\n",
        "extends: [../x]\n",
        "unknown: 1\n",
        "environment: {A: true}\n",
    ],
)
def test_an_editor_with_the_schema_says_what_loading_says(text: str) -> None:
    data: Any = yaml.safe_load(text)
    accepted = not list(jsonschema.Draft202012Validator(json_schema()).iter_errors(data))
    try:
        parse_profile(ProfileText("p", text, "p.yaml", "test"), Inputs({"HOME": "/home/me"}))
        loaded = True
    except ProfileError:
        loaded = False
    assert accepted == loaded


if __name__ == "__main__":
    PUBLISHED.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
