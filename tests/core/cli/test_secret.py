import pytest
from aisbx.cli.secret import parse_secrets
from aisbx.errors import UsageError
from aisbx.types import Secret


def test_a_secret_is_a_file_of_its_name_unless_something_else_is_said() -> None:
    values = ["token", "env:HOME_KEY,target=key", "TOKEN,type=env", "file:a.b,type=env,target=AB"]
    assert parse_secrets(values) == (
        Secret("token", target="token"),
        Secret("HOME_KEY", "env", target="key"),
        Secret("TOKEN", variable="TOKEN"),
        Secret("a.b", "file", variable="AB"),
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["../x"], "not the name of a secret"),
        (["a:b:c"], "not the name"),
        ([":x"], "not the name"),
        ([""], "not the name"),
        (["x,target=a/b"], "not a name for a file"),
        (["x,target=.."], "not a name for a file"),
        (["a-b,type=env"], "not a name for a variable"),
        (["x,type=mount"], "no type 'mount'"),
        (["x,mode=777"], "not type= or target="),
        (["x,type=env,type=file"], "stands twice"),
        (["x", "y,target=x"], "two are to be x"),
        (["X,type=env", "y,type=env,target=X"], "two are to be X"),
    ],
)
def test_what_is_malformed_is_refused(values: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_secrets(values)


def test_a_value_that_was_typed_in_place_of_a_name_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        parse_secrets(["TOKEN=hunter2"])
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
