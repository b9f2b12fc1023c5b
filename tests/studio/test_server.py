"""Who is let in, what is refused and how, and what slow or vanished pages do to the others."""

from __future__ import annotations

import http.client
import json
import time
from urllib.error import HTTPError

import numpy as np
import pytest
from served import Running, made
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fallline.studio.server import MOST_CONNECTIONS


@pytest.fixture(scope="module")
def running():
    served = Running()
    yield served
    served.stop()


def status(running, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


def refused(running, **headers):
    with pytest.raises(InvalidStatus) as caught, running.connected(**headers):
        pass
    return caught.value.response.status_code


class TestDoor:
    def test_a_token_works_once_and_leaves_the_address(self, running):
        opener = running.opener()
        address = f"{running.origin}/?token={running.studio.keys.new_token()}"
        with opener.open(address) as page:
            assert page.url == f"{running.origin}/"
            assert b'<main id="views">' in page.read()
        with opener.open(address) as page:  # the cookie lets in whoever has used it
            assert page.status == 200
        with pytest.raises(HTTPError) as caught:
            running.opener().open(address)
        assert caught.value.code == 403
        assert b"prints a new address" in caught.value.read()

    @pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/?token=%00", "/?token=é"])
    def test_without_a_token_the_page_is_refused(self, running, path):
        code, body, _ = status(running, path.replace("é", "%C3%A9"))
        assert code == 403
        assert b"token" in body

    def test_the_cookie_is_for_this_port_and_out_of_reach_of_scripts(self, running):
        _, _, headers = status(running, f"/?token={running.studio.keys.new_token()}")
        cookie = headers["set-cookie"]
        assert cookie.startswith(f"fallline-{running.port}=")
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()

    def test_the_page_allows_nothing_from_elsewhere(self, running):
        _, body, headers = status(running, Cookie=running.cookie)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert b"http://" not in body.replace(b"http://www.w3.org", b"")
        assert b"https://" not in body

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../server.py",
            "/static/%2e%2e/server.py",
            "/static/..%2fserver.py",
            "/static/....//server.py",
            "/static//etc/passwd",
            "/static/js/../../server.py",
            "/static/js",
            "/static/",
            "/nothing",
        ],
    )
    def test_no_other_file_is_served(self, running, path):
        assert status(running, path, Cookie=running.cookie)[0] == 404

    def test_nothing_can_be_posted(self, running):
        assert status(running, "/", "POST", Cookie=running.cookie)[0] == 405

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]"])
    def test_a_foreign_host_is_a_bad_request(self, running, host):
        assert status(running, Host=host, Cookie=running.cookie)[0] == 400
        assert status(running, "/static/css/app.css", Host=host)[0] == 400


class TestSocketDoor:
    @pytest.mark.parametrize(
        "origin",
        [None, "null", "http://evil.example", "https://127.0.0.1", "http://localhost", "port"],
    )
    def test_a_page_of_another_origin_is_refused(self, running, origin):
        if origin == "port":
            origin = f"http://127.0.0.1:{running.port + 1}"
        assert refused(running, Origin=origin) == 403

    @pytest.mark.parametrize("cookie", [None, "fallline-1=x", "wrong"])
    def test_without_the_cookie_it_is_refused(self, running, cookie):
        if cookie == "wrong":
            cookie = f"fallline-{running.port}={'x' * 43}"
        assert refused(running, Cookie=cookie) == 403

    def test_a_foreign_host_is_a_bad_request(self, running):
        # The client writes its own Host header; this one is written by hand.
        code, _, _ = status(
            running,
            "/socket",
            Host="evil.example",
            Origin="http://evil.example",
            Cookie=running.cookie,
            Upgrade="websocket",
            Connection="Upgrade",
            **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"},
        )
        assert code == 400

    def test_at_most_four_pages(self, running):
        pages = [running.connected() for _ in range(MOST_CONNECTIONS)]
        try:
            for page in pages:
                page.__enter__().text("hello")
            with running.connected() as fifth, pytest.raises(ConnectionClosed) as caught:
                fifth.text("hello")
            assert caught.value.rcvd.code == 1013
            assert "4 tabs" in caught.value.rcvd.reason
        finally:
            for page in pages:
                page.__exit__(None, None, None)
        wait_until(lambda: not running.studio.sessions)
        with running.connected() as page:  # room again
            page.text("hello")


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class TestMessages:
    def test_an_answer_carries_the_number_of_its_question(self, running):
        with running.connected() as page:
            page.send("double", value=21, id=7)
            assert page.text("answer") == {
                "view": "counter",
                "type": "answer",
                "id": 7,
                "twice": 42,
            }

    @pytest.mark.parametrize(
        ("fields", "part"),
        [
            ({"type": "balls", "n": 20_001}, "between 1 and 20000"),
            ({"type": "balls", "n": True}, "must be a number"),
            ({"type": "balls", "n": "7"}, "must be a number"),
            ({"type": "balls", "n": 1.5}, "whole"),
            ({"type": "balls", "n": 10**400}, "between"),
            ({"type": "balls", "n": None}, "lacks"),
            ({"type": "balls"}, "lacks 'n'"),
            ({"type": "run", "on": 1}, "true or false"),
            ({"type": "nothing"}, "no message 'nothing'"),
            ({"type": 5}, "names its type"),
            ({}, "names its type"),
            ({"type": "run", "view": "elsewhere"}, "one of counter"),
            ({"type": "run", "view": ["counter"]}, "one of counter"),
            ({"type": "show", "view": "session", "name": "elsewhere"}, "cannot be 'elsewhere'"),
            ({"type": "show", "view": "session", "name": 3}, "must be a text"),
        ],
    )
    def test_what_does_not_fit_is_a_sentence_and_the_run_goes_on(self, running, fields, part):
        with running.connected() as page:
            page.socket.send(json.dumps({"view": "counter", **fields}))
            error = page.text("error")
            assert part in error["message"]
            page.send("double", value=1, id=1)
            assert page.text("answer")["twice"] == 2

    @pytest.mark.parametrize("text", ["{", "", "NaN", '{"type": NaN}', "[" * 5000, b"\x00\xff"])
    def test_what_is_not_json_ends_the_connection_alone(self, running, text):
        with running.connected() as other:
            other.text("hello")
            with running.connected() as page:
                page.socket.send(text)
                with pytest.raises(ConnectionClosed) as caught:
                    page.text("never")
                assert caught.value.rcvd.code == 1003
            other.send("double", value=1, id=1)
            assert other.text("answer")["twice"] == 2

    @pytest.mark.parametrize("text", ["[]", "3", '"run"', "null", "true"])
    def test_what_is_no_object_ends_the_connection(self, running, text):
        with running.connected() as page:
            page.socket.send(text)
            with pytest.raises(ConnectionClosed) as caught:
                page.text("never")
            assert caught.value.rcvd.code == 1008

    def test_a_message_too_long_ends_the_connection(self, running):
        with running.connected() as page:
            page.socket.send(json.dumps({"view": "counter", "type": "run", "x": "x" * 65_536}))
            with pytest.raises(ConnectionClosed) as caught:
                page.text("never")
            assert caught.value.rcvd.code == 1009

    def test_a_bug_is_told_to_the_page_and_the_terminal_and_ends_nothing(self, running, capfd):
        with running.connected() as page:
            page.send("bug", id=3)
            error = page.text("error")
            assert error["id"] == 3
            assert "RuntimeError" in error["message"]
            page.send("double", value=1, id=1)
            assert page.text("answer")["twice"] == 2
        assert "a bug of ours" in capfd.readouterr().err


class TestFlow:
    def test_frames_wait_for_the_page_and_no_row_is_lost(self, running):
        with running.connected() as page:
            page.send("show", "session", name="counter")
            page.send("run", on=True)
            first, second = page.frame(), page.frame()
            # No third one comes while the page is drawing; meanwhile the view goes on.
            with pytest.raises(TimeoutError):
                page.frame(timeout=0.4)
            page.ack()
            third = page.frame()
            assert third.step > second.step + 10
            assert third.data[0] == third.step  # the newest place ...
            rows = [frame.scalars.reshape(-1, 2)[:, 0] for frame in (first, second, third)]
            assert np.concatenate(rows).tolist() == list(range(1, third.step + 1))  # ... every row
            page.send("run", on=False)

    def test_a_view_that_is_not_seen_is_not_computed(self, running):
        with running.connected() as page:
            page.send("run", on=True)
            page.send("double", value=1, id=1)
            page.text("answer")
            assert made[-1].count == 0
            page.send("show", "session", name="counter")
            page.frame()
            page.send("show", "session", name=None)
            page.send("double", value=1, id=2)
            page.text("answer")
            count = made[-1].count
            time.sleep(0.2)
            assert made[-1].count == count

    def test_a_page_that_does_not_read_does_not_hold_up_the_others(self, running):
        with running.connected() as slow, running.connected() as page:
            for each in (slow, page):
                each.send("show", "session", name="counter")
                each.send("balls", n=20_000)
                each.send("run", on=True)
            steps = []
            end = time.monotonic() + 1
            while time.monotonic() < end:
                steps.append(page.frame().step)
                page.ack()
            assert len(steps) > 20

    def test_a_page_that_never_reads_is_let_go(self, running):
        with running.connected() as page:
            page.send("flood", messages=50_000)
            wait_until(lambda: not running.studio.sessions, 20)

    def test_a_closed_tab_ends_its_view(self, running):
        with running.connected() as page:
            page.send("show", "session", name="counter")
            page.send("run", on=True)
            page.frame()
            view = made[-1]
        wait_until(lambda: view.closed)
        count = view.count
        time.sleep(0.1)
        assert view.count == count

    def test_stopping_the_server_mid_run_tells_the_page(self):
        served = Running()
        with served.connected() as page:
            page.send("show", "session", name="counter")
            page.send("run", on=True)
            page.frame()
            view = made[-1]
            served.stop()
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    page.socket.recv(5)
            assert caught.value.rcvd.code in (1001, 1012)
        wait_until(lambda: view.closed)
        assert not served.thread.is_alive()
