"""Only addresses of the public internet are reached without being named."""

import socket
from ipaddress import ip_address

import pytest
from aisbx_egress import addresses

SPECIAL = {
    "127.0.0.1": "loopback",
    "127.8.8.8": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "169.254.169.254": "metadata",
    "fd00:ec2::254": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "10.1.2.3": "private",
    "172.31.0.1": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "fd12::1": "private",
    "::ffff:10.0.0.1": "private",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "reserved",
    "198.18.0.1": "reserved",
    "64:ff9b::7f00:1": "translated",
    "2002:7f00:1::": "translated",
    "2001:0:1::1": "translated",
    "::7f00:1": "translated",
    "::ffff:0:127.0.0.1": "translated",
    "4000::1": "reserved",
}


@pytest.mark.parametrize(("text", "kind"), SPECIAL.items())
def test_what_is_not_the_public_internet_is_told_apart(text: str, kind: str) -> None:
    assert addresses.special(ip_address(text)) == kind


@pytest.mark.parametrize("text", ["1.1.1.1", "151.101.0.223", "172.32.0.1", "2606:4700::1111", "2a04:4e42::223"])
def test_the_public_internet_is_open_to_a_name_that_is_allowed(text: str) -> None:
    assert addresses.special(ip_address(text)) == ""


def test_an_address_of_the_host_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_SPECIAL", ())  # as if the loopback were a public address of this host
    assert addresses.special(ip_address("127.0.0.1")) == "own"
    assert addresses.special(ip_address("1.1.1.1")) == ""
    assert not addresses.own(addresses.parsed("192.0.2.1"))
    assert socket.has_ipv6
