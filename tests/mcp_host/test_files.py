"""Files in the sandbox by the tools: never one of the host's."""

import base64
from pathlib import Path

from tests.mcp_host.conftest import Client

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_a_file_is_written_edited_and_read(client: Client) -> None:
    assert "wrote 11 bytes" in client.call("write_file", path="a/b/c.txt", content="one\ntwo\nü\n")
    client.call("run_command", command="chmod 750 a/b/c.txt")
    assert "replaced 1" in client.call("edit_file", path="a/b/c.txt", old="two", new="2")
    assert client.call("read_file", path="a/b/c.txt") == "one\n2\nü\n"
    assert "c.txt" in client.call("list_files", path="a/b")
    assert "750" in client.call("run_command", command="stat -c %a a/b/c.txt")


def test_parts_of_a_file(client: Client) -> None:
    client.call("write_file", path="lines", content="".join(f"line {number}\n" for number in range(1, 101)))
    assert (
        client.call("read_file", path="lines", first_line=10, lines=2) == "[lines 10 to 11 of 100]\nline 10\nline 11\n"
    )
    assert client.call("read_file", path="lines", max_output_chars=200).startswith("[lines 1 to 26 of 100]\n")


def test_an_edit_must_be_plain(client: Client) -> None:
    client.call("write_file", path="twice", content="x\nx\n")
    assert "2 times" in client.refused("edit_file", path="twice", old="x", new="y")
    assert "does not have that text" in client.refused("edit_file", path="twice", old="z", new="y")
    assert client.call("read_file", path="twice") == "x\nx\n"
    client.call("edit_file", path="twice", old="x", new="y", replace_all=True)
    assert client.call("read_file", path="twice") == "y\ny\n"


def test_an_image_is_shown_and_no_structure_stands_in_its_way(client: Client) -> None:
    client.call("write_file", path="dot.png", content=base64.b64encode(PNG).decode(), encoding="base64")
    result = client.result("read_file", path="dot.png")
    assert [block.type for block in result.content] == ["text", "image"]
    assert result.content[1].type == "image"
    assert base64.b64decode(result.content[1].data) == PNG
    assert result.structured_content is None


def test_what_is_no_text_is_said_to_be_none(client: Client) -> None:
    client.call("run_command", command="head -c 3000 /dev/zero > zeros; truncate -s 17M huge")
    assert "no text" in client.call("read_file", path="zeros")
    assert "more than 16 MiB" in client.refused("read_file", path="huge")
    assert "no base64" in client.refused("write_file", path="x", content="%%", encoding="base64")


def test_no_link_leads_to_the_host(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t")
    client.call("run_command", command=f"ln -s {secret} link; ln -s {tmp_path} dir; ln -s / root; mkdir -p q")
    for path in ("link", "dir/secret", f"root{secret}", str(secret), f"../..{secret}", f"q/../../..{secret}"):
        assert "s3cr3t" not in client.refused("read_file", path=path)
    for path in ("dir/secret", f"root{secret}", "link", str(secret)):
        client.result("write_file", path=path, content="planted")
    assert secret.read_text() == "s3cr3t"
    assert sorted(tmp_path.iterdir()) == [secret]
