import pytest
from aisbx.api.options import to_request
from aisbx.errors import UsageError
from aisbx.secrets.spelled import parse_secrets
from aisbx.types import Binding, Secret


def test_a_secret_is_a_file_of_its_name_unless_something_else_is_said() -> None:
    values = ["token", "env:HOME_KEY,target=key", "TOKEN,type=env", "file:a.b,type=env,target=AB"]
    assert parse_secrets(values) == (
        Secret("token", target="token"),
        Secret("HOME_KEY", "env", target="key"),
        Secret("TOKEN", variable="TOKEN"),
        Secret("a.b", "file", variable="AB"),
    )


def test_a_secret_for_the_proxy_says_where_it_goes() -> None:
    said = "key,type=proxy,target=KEY,host=A.example,host=*.b.example:8443,method=get,path=/v1,path=/v2/,header=X-Key"
    bound = Binding(("a.example", "*.b.example:8443"), ("GET",), ("/v1", "/v2/"))
    assert parse_secrets([said, "OTHER,type=proxy"]) == (
        Secret("key", placeholder="KEY", binding=bound, headers=("x-key",)),
        Secret("OTHER", placeholder="OTHER"),
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
        (["x,mode=777"], "is unknown"),
        (["x,type=env,type=file"], "stands twice"),
        (["x", "y,target=x"], "two are to be x"),
        (["X,type=env", "y,type=env,target=X"], "two are to be X"),
        (["X,type=proxy", "y,type=env,target=X"], "two are to be X"),
        (["a-b,type=proxy,host=a.example"], "not a name for a variable"),
        (["x,host=a.example"], "are for type=proxy"),
        (["x,type=proxy,host=https://a.example"], "no port"),
        (["x,type=proxy,host=*"], "is not HOST"),
        (["x,type=proxy,host=a.example,method=G T"], "is no method"),
        (["x,type=proxy,host=a.example,path=v1"], "is no path"),
        (["x,type=proxy,host=a.example,path=/v1?x"], "is no path"),
        (["x,type=proxy,host=a.example,header=a b"], "is no name of a header field"),
        (["x,type=proxy,path=/v1"], "stand with host="),
    ],
)
def test_what_is_malformed_is_refused(values: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_secrets(values)


def test_a_value_that_was_typed_in_place_of_a_name_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        parse_secrets(["TOKEN=hunter2"])
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_program_asks_for_secrets_in_the_same_words() -> None:
    request = to_request({"secrets": ["key,type=proxy,target=KEY,host=a.example"], "allow": ["a.example:443"]})
    assert request.secrets == (Secret("key", placeholder="KEY", binding=Binding(("a.example",))),)
    with pytest.raises(UsageError, match="no type 'x'"):
        to_request({"secrets": ["key,type=x"]})
