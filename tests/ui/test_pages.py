"""The changes to locust's own pages."""

from __future__ import annotations

from workloads.load.locust.pages import Mark, in_requests, with_marks

WINDOW = Mark(from_ms=1000.0, to_ms=None, text="Pause on <r1>", seen="acted: </script>")


def test_users_are_called_what_they_are() -> None:
    assert in_requests("label:`Number of users (peak concurrency)`", 1) == "label:`Rate, in requests/s`"
    assert in_requests("label:`Number of users (peak concurrency)`", 50) == "label:`Rate, in units of 50 requests/s`"
    assert (
        in_requests("children:`Users`, title:`Number of Users`", 1) == "children:`Requests/s asked`, title:`Requests/s asked`"
    )
    assert in_requests("Number of requests", 1) == "Number of requests"


def test_a_report_shows_its_windows_and_nothing_in_them_ends_its_script() -> None:
    report = with_marks("<html><body><script>a('</body>')</script></body></html>", [WINDOW])
    assert report.startswith("<html><body><script>a('</body>')</script><section")
    assert report.endswith("</script></body></html>")
    assert "Pause on &lt;r1&gt;" in report
    assert report.count("</script>") == 2
    assert with_marks("<body></body>", []) == "<body></body>"
