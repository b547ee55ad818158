"""The API's proxies, on the embedded server and on the real one: the same literal answers from both."""

from __future__ import annotations

import pytest

from tests.helpers.plane_world import CANNOT, DOWN, POPULATED, Server, refused


def test_a_proxy_is_made_shown_and_removed(server: Server) -> None:
    response = server.call("POST", "/proxies", {"name": "a>b", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"})
    made = response.json()
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert list(made) == ["name", "listen", "upstream", "enabled", "Logger", "toxics"]
    assert {**made, "listen": ""} == {
        "name": "a>b",
        "listen": "",
        "upstream": "127.0.0.1:9",
        "enabled": True,
        "Logger": {},
        "toxics": [],
    }
    assert not made["listen"].endswith(":0")
    assert "a\\u003eb" in response.text
    assert server.ask("GET", "/proxies") == {"a>b": made}
    assert server.ask("GET", "/proxies/a%3Eb") == made
    assert server.ask("GET", "/proxies/a>b") == made
    deleted = server.call("DELETE", "/proxies/a%3Eb")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert server.call("DELETE", "/proxies/a%3Eb").status_code == 404


def test_proxies_are_listed_by_name(server: Server) -> None:
    for name in ("b", "a", "c"):
        server.ask("POST", "/proxies", {**DOWN, "name": name})
    assert list(server.ask("GET", "/proxies")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "bad request body: EOF"),
        (b"{", "bad request body: unexpected EOF"),
        (b"x", "bad request body: invalid character 'x' looking for beginning of value"),
        (b"trux", "bad request body: invalid character 'x' in literal true (expecting 'e')"),
        (b'{"name":"a",}', "bad request body: invalid character '}' looking for beginning of object key string"),
        (b'{"name" "a"}', "bad request body: invalid character '\"' after object key"),
        (b'{"name":"a"b}', "bad request body: invalid character 'b' after object key:value pair"),
        (b"[1 2]", "bad request body: invalid character '2' after array element"),
        (b'{"name":01}', "bad request body: invalid character '1' after object key:value pair"),
        (b'{"name":1.}', "bad request body: invalid character '}' after decimal point in numeric literal"),
        (b'{"name":1ex}', "bad request body: invalid character 'x' in exponent of numeric literal"),
        (b'{"name":-}', "bad request body: invalid character '}' in numeric literal"),
        (b'{"name":"\x01"}', r"bad request body: invalid character '\x01' in string literal"),
        (b'{"name":"\\q"}', "bad request body: invalid character 'q' in string escape code"),
        (b'{"name":"\\u12x"}', r"bad request body: invalid character 'x' in \u hexadecimal character escape"),
        (b"{'name':1}", r"bad request body: invalid character '\'' looking for beginning of object key string"),
        (b"[]", CANNOT + "array into Go value of type toxiproxy.Proxy"),
        (b'"s"', CANNOT + "string into Go value of type toxiproxy.Proxy"),
        (b"12", CANNOT + "number into Go value of type toxiproxy.Proxy"),
        (b'{"name":1}', CANNOT + "number into Go struct field Proxy.name of type string"),
        (
            b'{"upstream":{}}',
            CANNOT + "object into Go struct field Proxy.upstream of type string",
        ),
        (
            b'{"enabled":"yes"}',
            CANNOT + "string into Go struct field Proxy.enabled of type bool",
        ),
        (b"null", "missing required field: name"),
        (b'{"upstream":"x"}', "missing required field: name"),
        (b'{"name":"","upstream":"x"}', "missing required field: name"),
        (b'{"name":"a"}', "missing required field: upstream"),
    ],
)
def test_a_bad_proxy_is_refused_in_the_same_words(server: Server, body: bytes, message: str) -> None:
    response = server.call("POST", "/proxies", raw=body)
    assert (response.status_code, response.json()) == refused(message, 400)


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("foo", "listen tcp: address foo: missing port in address"),
        ("127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
        ("127.0.0.1:-1", "listen tcp: address -1: invalid port"),
        ("127.0.0.1:abc", "listen tcp: lookup tcp/abc: unknown port"),
        ("::1:80", "listen tcp: address ::1:80: too many colons in address"),
        ("[::1:80", "listen tcp: address [::1:80: missing ']' in address"),
        ("[::1]80", "listen tcp: address [::1]80: missing port in address"),
        ("a]b:80", "listen tcp: address a]b:80: unexpected ']' in address"),
        ("a[b:80", "listen tcp: address a[b:80: unexpected '[' in address"),
        ("300.1.1.1:80", "listen tcp: lookup 300.1.1.1: no such host"),
        ("1.2.3.4:0", "listen tcp 1.2.3.4:0: bind: cannot assign requested address"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_in_the_same_words(server: Server, listen: str, message: str) -> None:
    response = server.call("POST", "/proxies", {"name": "a", "upstream": "u", "listen": listen})
    assert (response.status_code, response.json()) == refused(message, 500)
    assert server.ask("GET", "/proxies") == {}


def test_a_taken_port_is_refused_and_a_freed_one_is_free(server: Server) -> None:
    first = server.proxy("127.0.0.1:9", "first")
    response = server.call("POST", "/proxies", {"name": "second", "upstream": "u", "listen": first.listen})
    assert (response.status_code, response.json()) == refused(f"listen tcp {first.listen}: bind: address already in use", 500)
    server.ask("DELETE", "/proxies/first")
    assert server.proxy("127.0.0.1:9", "second", listen=first.listen).listen == first.listen


def test_a_taken_name_is_refused(server: Server) -> None:
    server.ask("POST", "/proxies", DOWN)
    response = server.call("POST", "/proxies", DOWN)
    assert (response.status_code, response.json()) == refused("proxy already exists", 409)


def test_only_the_first_value_of_a_body_counts_and_keys_fold_their_case(server: Server) -> None:
    body = b'{"NAME":"x","name":"y","Upstream":"u","ENABLED":false,"junk":[1,{}],"listen":null} and more {'
    response = server.call("POST", "/proxies", raw=body)
    assert response.status_code == 201
    assert response.json() == {"name": "y", "listen": "", "upstream": "u", "enabled": False, "Logger": {}, "toxics": []}


def test_names_of_any_kind_survive(server: Server) -> None:
    name = 'a"b\\c <&> é 😀 \u2028'
    server.ask("POST", "/proxies", {**DOWN, "name": name})
    assert server.ask("GET", "/proxies")[name]["name"] == name
    assert b"\xe2\x80\xa8" not in server.call("GET", "/proxies").content


def test_localhost_listens_on_the_loopback_address(server: Server) -> None:
    assert server.proxy("127.0.0.1:9", listen="localhost:0").listen.startswith("127.0.0.1:")


def test_a_disabled_proxy_keeps_the_address_it_was_given_until_it_listens(server: Server) -> None:
    assert server.ask("POST", "/proxies", {**DOWN, "listen": "garbage"})["listen"] == "garbage"
    enabled = server.call("PATCH", "/proxies/down", {"enabled": True})
    assert (enabled.status_code, enabled.json()) == refused("address garbage: missing port in address", 500)
    fixed = server.ask("PATCH", "/proxies/down", {"enabled": True, "listen": "127.0.0.1:0"})
    assert fixed["enabled"]
    assert not fixed["listen"].endswith(":0")


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_an_update_names_what_changes(server: Server, method: str) -> None:
    server.ask("POST", "/proxies", DOWN)
    changed = server.ask(method, "/proxies/down", {"upstream": "127.0.0.1:10", "name": "other"})
    assert changed == {**DOWN, "upstream": "127.0.0.1:10", "Logger": {}, "toxics": []}
    assert server.call("GET", "/proxies/other").status_code == 404
    bad = server.call(method, "/proxies/down", {"enabled": "x"})
    assert bad.json()["error"].endswith("cannot unmarshal string into Go struct field Proxy.enabled of type bool")
    assert server.call(method, "/proxies/none", {"enabled": "x"}).json() == refused("proxy not found", 404)[1]


def test_an_update_to_a_taken_port_leaves_the_proxy_down_on_it(server: Server) -> None:
    first, second = server.proxy("127.0.0.1:9", "first"), server.proxy("127.0.0.1:9", "second")
    response = server.call("PATCH", "/proxies/second", {"listen": first.listen})
    assert response.status_code == 500
    shown = server.ask("GET", "/proxies/second")
    assert (shown["listen"], shown["enabled"]) == (first.listen, False)
    assert server.ask("PATCH", "/proxies/second", {"listen": second.listen, "enabled": True})["listen"] == second.listen


def test_populate_makes_leaves_and_replaces(server: Server) -> None:
    specs = [{**DOWN, "name": "a", "listen": "127.0.0.1:1"}, {**DOWN, "name": "b", "listen": "127.0.0.1:2"}]
    response = server.call("POST", "/populate", specs)
    assert response.status_code == 201
    assert [made["name"] for made in response.json()["proxies"]] == ["a", "b"]
    for name in ("a", "b"):
        server.ask("POST", f"/proxies/{name}/toxics", {"type": "noop"})
    again = server.ask("POST", "/populate", [{**specs[0], "enabled": True}, {**specs[1], "upstream": "127.0.0.1:10"}])
    assert [(made["enabled"], made["upstream"], len(made["toxics"])) for made in again["proxies"]] == [
        (False, "127.0.0.1:9", 1),
        (False, "127.0.0.1:10", 0),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "bad request body: EOF"),
        (b"{}", CANNOT + "object into Go value of type []" + POPULATED),
        (b"[1]", CANNOT + "number into Go value of type " + POPULATED),
        (b'[{"name":"a"}]', "missing required field: upstream at proxy 1"),
        (b'[{"name":"a","upstream":"u","enabled":false},{"upstream":"u"}]', "missing required field: name at proxy 2"),
        (b'[{"name":"a","upstream":1}]', CANNOT + "number into Go struct field .Proxy.upstream of type string"),
        (b'[{"name":"a","upstream":"u","enabled":"x"}]', CANNOT + "string into Go struct field .enabled of type bool"),
    ],
)
def test_populate_checks_everything_before_it_makes_anything(server: Server, body: bytes, message: str) -> None:
    response = server.call("POST", "/populate", raw=body)
    assert (response.status_code, response.json()) == (400, {"error": message, "status": 400, "proxies": None})
    assert response.headers["Content-Type"] == "application/json"
    assert server.ask("GET", "/proxies") == {}


def test_populate_stops_at_the_first_that_cannot_listen(server: Server) -> None:
    taken = server.proxy("127.0.0.1:9", "taken")
    specs = [{**DOWN, "name": "a"}, {"name": "b", "upstream": "u", "listen": taken.listen}, {**DOWN, "name": "c"}]
    response = server.call("POST", "/populate", specs)
    assert response.status_code == 500
    assert response.json()["error"] == f"listen tcp {taken.listen}: bind: address already in use"
    assert [made["name"] for made in response.json()["proxies"]] == ["a"]
    assert set(server.ask("GET", "/proxies")) == {"a", "taken"}


@pytest.mark.parametrize("body", [b"[]", b"null"])
def test_populate_with_nothing_makes_null(server: Server, body: bytes) -> None:
    response = server.call("POST", "/populate", raw=body)
    assert (response.status_code, response.text) == (201, '{"proxies":null}')


def test_reset_enables_every_proxy_and_removes_every_toxic(server: Server) -> None:
    server.ask("POST", "/proxies", DOWN)
    up = server.proxy("127.0.0.1:9", "up")
    for name in ("down", "up"):
        for stream in ("upstream", "downstream"):
            server.ask("POST", f"/proxies/{name}/toxics", {"type": "timeout", "stream": stream})
    response = server.call("POST", "/reset", raw=b"whatever")
    assert (response.status_code, response.content) == (204, b"")
    shown = server.ask("GET", "/proxies")
    assert [(proxy["enabled"], proxy["toxics"]) for proxy in shown.values()] == [(True, []), (True, [])]
    assert shown["up"]["listen"] == up.listen
