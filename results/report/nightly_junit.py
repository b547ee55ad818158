"""The last night as JUnit XML, which Jenkins, GitLab, GitHub Actions and others read.

A run is a test case in the suite `drills`, a figure one in the suite `figures`. A run that could not be judged is an error: it
did not fail, but "skipped" would suggest that it does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree

from results.report.nightly_phrasing import change_sentence, change_since, change_size, run_word, smallest_of
from results.report.nightly_trust import trust
from results.trends.nightly import Nightly

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class _Case:
    classname: str
    name: str
    outcome: Literal["passed", "failure", "error", "skipped"]
    kind: str = ""
    text: str = ""
    out: str = ""
    """Output shown with the test case, however it ended."""


def junit(nightly: Nightly) -> bytes:
    """The document, in UTF-8."""
    root = ElementTree.Element("testsuites", name="harness nightly")
    for name, cases in (("drills", list(_runs(nightly))), ("figures", list(_figures(nightly)))):
        suite = ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(cases)))
        for outcome, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(count, str(sum(case.outcome == outcome for case in cases)))
        suite.set("timestamp", f"{nightly.last.began_utc:%Y-%m-%dT%H:%M:%S}")
        suite.set("time", "0")
        if name == "figures" and (trusted := trust(nightly)):
            properties = ElementTree.SubElement(suite, "properties")
            ElementTree.SubElement(properties, "property", name="false alarms", value=_xml(trusted))
        for case in cases:
            _add(suite, case)
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _runs(nightly: Nightly) -> Iterator[_Case]:
    seen: dict[tuple[str, int], int] = {}
    for run in nightly.last.runs:
        again = seen[run.drill, run.seed] = seen.get((run.drill, run.seed), 0) + 1
        name = f"seed {run.seed}" if again == 1 else f"seed {run.seed}, again ({again})"
        if run.as_expected:
            yield _Case(classname=run.drill, name=name, outcome="passed")
        else:
            outcome: Literal["error", "failure"] = "error" if run.verdict == "unknown" else "failure"
            yield _Case(classname=run.drill, name=name, outcome=outcome, kind=run_word(run), text=run.why)
    if nightly.last.state == "broke off":
        yield _Case(classname="night", name=nightly.last.name, outcome="error", kind="broke off", text=nightly.last.why)


def _figures(nightly: Nightly) -> Iterator[_Case]:
    worse = {id(change.series): change for change in nightly.worse}
    for judged in nightly.measured:
        series = judged.series
        notes = "; ".join(judged.notes)
        if change := worse.get(id(series)):
            text = f"{change_sentence(change)}\n{change_size(change)}\n{change_since(change)}"
            yield _Case(classname=series.drill, name=series.metric.name, outcome="failure", kind="regression", text=text)
        elif judged.smallest_at_once is None:
            yield _Case(classname=series.drill, name=series.metric.name, outcome="skipped", text=notes or "too few nights")
        else:
            out = f"Would have been found: {smallest_of(judged)}. {notes}".rstrip()
            yield _Case(classname=series.drill, name=series.metric.name, outcome="passed", out=out)


def _add(suite: ElementTree.Element, case: _Case) -> None:
    made = ElementTree.SubElement(suite, "testcase", classname=_xml(case.classname), name=_xml(case.name), time="0")
    if case.outcome != "passed":
        lines = _xml(case.text).splitlines()
        result = ElementTree.SubElement(made, case.outcome, message=lines[0] if lines else case.kind)
        if case.kind:
            result.set("type", case.kind)
        if case.outcome != "skipped":
            result.text = _xml(case.text)
    if case.out:
        ElementTree.SubElement(made, "system-out").text = _xml(case.out)


def _xml(text: str) -> str:
    """The text with characters that XML cannot hold replaced, such as a terminal's control characters."""
    return _NOT_IN_XML.sub("�", text)
