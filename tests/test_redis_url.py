from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amr.errors import SettingsError
from amr.redis_url import (
    RedisTarget,
    expand_references,
    parse_redis_url,
    references,
    split_login,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("redis://h", RedisTarget("redis", "h")),
        ("REDIS://H:1/2#s", RedisTarget("redis", "h", 1, 2, stream="s")),
        ("redis://:p@h:6380#jobs", RedisTarget("redis", "h", 6380, password="p", stream="jobs")),
        ("redis://u:p%40%2F@h", RedisTarget("redis", "h", username="u", password="p@/")),
        ("redis://u@h", RedisTarget("redis", "h", username="u")),
        ("redis://[::1]:7000/3", RedisTarget("redis", "::1", 7000, 3)),
        ("redis://[::1]", RedisTarget("redis", "::1")),
        ("redis://h:6379/", RedisTarget("redis", "h")),
        ("rediss://h", RedisTarget("rediss", "h")),
        ("redis+tls://:p@h:1#in", RedisTarget("rediss", "h", 1, password="p", stream="in")),
        (
            "rediss://h?ssl_ca_certs=/a%20b.pem&ssl_cert_reqs=CERT_NONE",
            RedisTarget(
                "rediss", "h", tls=(("ssl_ca_certs", "/a b.pem"), ("ssl_cert_reqs", "none"))
            ),
        ),
        ("unix:///run/redis.sock", RedisTarget("unix", path="/run/redis.sock")),
        ("unix:///r/a@b.sock?db=4#x", RedisTarget("unix", path="/r/a@b.sock", db=4, stream="x")),
        ("unix://u:p@/r.sock", RedisTarget("unix", username="u", password="p", path="/r.sock")),
        (
            "redis+sentinel://u:p@a:1,b,[::2]:3/main/5#q",
            RedisTarget(
                "redis+sentinel",
                port=26379,
                db=5,
                username="u",
                password="p",
                sentinels=(("a", 1), ("b", 26379), ("::2", 3)),
                service="main",
                stream="q",
            ),
        ),
        (
            "redis+cluster://u:p@a:1,b,[::2]:3/0#q/4",
            RedisTarget(
                "redis+cluster",
                username="u",
                password="p",
                nodes=(("a", 1), ("b", 6379), ("::2", 3)),
                stream="q",
                streams=4,
            ),
        ),
        (
            "rediss+cluster://a?ssl_ca_certs=/x.pem",
            RedisTarget("rediss+cluster", nodes=(("a", 6379),), tls=(("ssl_ca_certs", "/x.pem"),)),
        ),
        ("redis://h#/2", RedisTarget("redis", "h", streams=2)),
        ("redis://h#in/1", RedisTarget("redis", "h", stream="in")),
    ],
)
def test_every_form_of_url_is_read(text: str, target: RedisTarget) -> None:
    assert parse_redis_url(text) == target


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "a@b", "a:b", "@/#?:"])
def test_a_password_that_a_shell_put_in_unencoded_is_read(password: str) -> None:
    assert parse_redis_url(f"redis://:{password}@h:1/2#s") == RedisTarget(
        "redis", "h", 1, 2, password=password, stream="s"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("localhost:6379", "has no scheme"),
        ("http://h", "unknown scheme 'http'"),
        ("rediss+tls://h", "did you mean"),
        ("redis://", "no host"),
        ("redis://:6379", "no host"),
        ("redis://u:secret@:1", "no host"),
        ("redis://h:0", "port"),
        ("redis://h:65536", "port"),
        ("redis://h:-1", "port"),
        ("redis://h:６３７９", "port"),
        ("redis://::1", "brackets"),
        ("redis://a b", "host is wrong"),
        ("redis://h/one", "database"),
        ("redis://h#a b", "name a stream"),
        ("redis://h#{s}", "name a stream"),
        ("redis://h#" + "x" * 101, "name a stream"),
        ("redis://h?ssl_ca_certs=x", "for rediss://"),
        ("rediss://h?ssl_ca_cert=x", 'did you mean "ssl_ca_certs"?'),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs is one of"),
        ("rediss://h?ssl_ca_certs=/a@b", "%40"),
        ("unix://", "no socket path"),
        ("unix:///s?dbb=1", 'did you mean "db"?'),
        ("redis+sentinel://a:1,b:2", "no service"),
        ("redis+sentinel://a:1,,b/main", "no host"),
        ("redis+cluster://a:1,,b", "no host"),
        ("redis+cluster://a:1/2", "database 0 only"),
        ("redis+cluster://a?ssl_ca_certs=x", "for rediss://"),
        ("redis://h#in/0", "from 1 to 256"),
        ("redis://h#in/257", "from 1 to 256"),
        ("redis://h#in/", "from 1 to 256"),
        ("redis://h#in/two", "from 1 to 256"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=r"^--redis-url: ") as caught:
        parse_redis_url(text, "--redis-url")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "redis://:s3cret",
        "redis://user:s3cret",
        "redis://:s3cret@h:x",
        "redis://:s3cret@h#{}",
        "redis://:s3cret@",
        "redis://:x/s3cret",
        "redis://:x#s3cret",
        "redis://:x?s3cret",
        "redis://:x@h/s3cret@",
        "unix://:s3cret@",
        "unix://:s3cret",
        "redis+sentinel://:s3cret@a",
        "http://:s3cret@h",
    ],
)
def test_no_error_shows_a_password(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_redis_url(text)
    assert "s3cret" not in str(caught.value)


_NAMES = st.text("abcXYZ019_-.", min_size=1, max_size=20)
_SECRETS = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    st.builds(
        RedisTarget,
        scheme=st.sampled_from(["redis", "rediss"]),
        host=st.sampled_from(["h", "a.example", "::1", "10.0.0.1"]),
        port=st.integers(1, 65535),
        db=st.integers(0, 15),
        username=_SECRETS,
        password=_SECRETS,
        stream=_NAMES,
        streams=st.integers(1, 256),
    )
)
def test_a_written_url_reads_back_as_the_same_target(target: RedisTarget) -> None:
    assert parse_redis_url(target.url()) == target


@pytest.mark.parametrize(
    "text",
    [
        "unix://u:p@/a%20b/r.sock?db=2#s",
        "redis+sentinel://:p@a:1,b:2/main/5#q",
        "redis+cluster://:p@a:1,b:2#q/7",
        "rediss+cluster://a:1?ssl_cert_reqs=none#q",
        "rediss://h:1/2?ssl_ca_certs=/x.pem&ssl_cert_reqs=none#s",
    ],
)
def test_every_scheme_writes_what_it_read(text: str) -> None:
    assert parse_redis_url(text).url() == text


def test_the_masked_url_and_the_repr_hide_the_password() -> None:
    target = parse_redis_url("redis+tls://user:s3cret@h:1/2#s")
    assert target.masked == "rediss://user:***@h:1/2#s"
    assert "s3cret" not in repr(target)


def test_another_stream_of_the_same_server_is_checked() -> None:
    target = parse_redis_url("redis://h#one")
    assert target.with_stream("two") == parse_redis_url("redis://h#two")
    with pytest.raises(SettingsError, match="'a/b' cannot name a stream"):
        target.with_stream("a/b")


def test_references_are_expanded_and_those_of_the_login_encoded() -> None:
    variables = {"USER_": "u:1", "PW": "p@/#", "HOST": "h", "PORT": "7", "S": "jobs"}
    url = expand_references("redis://$USER_:${PW}@$HOST:$PORT#${S}", variables, "here")
    assert parse_redis_url(url) == RedisTarget("redis", "h", 7, 0, "u:1", "p@/#", stream="jobs")


def test_a_whole_url_may_be_one_reference() -> None:
    assert expand_references("$URL", {"URL": "redis://:a@h"}, "here") == "redis://:a@h"


def test_a_dollar_inside_a_written_password_stays_itself() -> None:
    url = "redis://:pa$word@h"
    assert expand_references(url, {}, "here") == url
    assert references(url) == ()


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="--redis-url: it refers to the variable PW, which"):
        expand_references("redis://:$PW@h", {}, "--redis-url")


def test_references_are_listed_once_each() -> None:
    assert references("redis://$A:${B}@$C:$A#$D") == ("A", "B", "C", "D")


def test_a_socket_path_with_an_at_sign_is_no_login() -> None:
    assert split_login("unix:///run/a@/b.sock") == ("unix://", "", "/run/a@/b.sock")
