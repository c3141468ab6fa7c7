"""What a URL of Cassandra says, and what is refused."""

import pytest

from indelible.engines.cassandra.address import Address, parse_address
from indelible.errors import InvalidRequest


def test_all_that_a_url_may_say():
    url = "cassandra://us%40er:p%2Fw@h1,h2.example,[::1]:9142/ks_1?store=main&datacenter=dc1&consistency=local_quorum"
    assert parse_address(url) == Address(
        hosts=("h1", "h2.example", "::1"), port=9142, keyspace="ks_1", store="main",
        consistency="LOCAL_QUORUM", datacenter="dc1", user="us@er", password="p/w",
    )  # fmt: skip


def test_what_it_need_not_say():
    assert parse_address("cassandra://h1/ks") == Address(
        hosts=("h1",), port=9042, keyspace="ks", store="indelible", consistency="QUORUM",
        datacenter=None, user=None, password=None,
    )  # fmt: skip


def test_each_host_may_have_the_port():
    address = parse_address("cassandra://h1:9142,h2:9142,h1/ks")
    assert (address.hosts, address.port) == (("h1", "h2"), 9142)


def test_a_log_has_a_name_of_its_own():
    address = parse_address("cassandra://h1/ks?store=main")
    assert [address.log(number) for number in range(2)] == ["main/0", "main/1"]
    assert "secret" not in repr(parse_address("cassandra://me:secret@h1/ks"))


def test_stores_of_a_keyspace_share_what_reaches_it():
    one, other = (parse_address(f"cassandra://h1/ks?{rest}") for rest in ("store=a", "store=b"))
    assert one.of_cluster == other.of_cluster


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("cassandra:h1/ks", "must be like"),
        ("cassandra://h1", "must be like"),
        ("cassandra:///ks", "must be like"),
        ("cassandra://h1/ks#x", "must be like"),
        ("cassandra://h1,/ks", "'' is not a host"),
        ("cassandra://h 1/ks", "'h 1' is not a host"),
        ("cassandra://h1:x/ks", "'h1:x' is not a host"),
        ("cassandra://h1:0/ks", "one port, from 1"),
        ("cassandra://h1:70000/ks", "one port, from 1"),
        ("cassandra://h1:9042,h2:9043/ks", "one port"),
        ("cassandra://" + ",".join(f"h{n}" for n in range(17)) + "/ks", "at most 16"),
        ("cassandra://me@h1/ks", "USER:PASSWORD"),
        ("cassandra://:pw@h1/ks", "USER:PASSWORD"),
        ("cassandra://h1/Ks", "the keyspace must be a lower-case name"),
        ("cassandra://h1/ks/more", "the keyspace must be"),
        ("cassandra://h1/" + "k" * 41, "the keyspace must be"),
        ("cassandra://h1/ks?store=1a", "the parameter store must be"),
        ("cassandra://h1/ks?consistency=ONE", "the parameter consistency must be"),
        ("cassandra://h1/ks?replication=3", "has the parameter 'replication'"),
        ("cassandra://h1/ks?store=a&store=b", "there once"),
        ("cassandra://h1/ks?store=", "with a value"),
    ],
)
def test_bad_ones_are_refused(url: str, what: str):
    with pytest.raises(InvalidRequest, match=what) as caught:
        parse_address(url)
    assert caught.value.pointer == "/store"
