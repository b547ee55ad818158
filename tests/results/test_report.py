"""The page: its text, that it cannot be made to run scripts, its size, and that a browser draws it."""

from __future__ import annotations

import base64
import errno
import gzip
import html
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from harness.model.errors import HarnessError, UsageError
from harness.model.history import History
from results.record.result import CheckResult, Result
from results.record.store import save
from results.report.assets import command
from results.report.fault_strip import fault_strip
from results.report.page import write_report
from tests.helpers.effort import left_to_ci
from tests.helpers.synthetic import concluded, crash, spoil, steady, window

MIB_2 = 2_000_000
WRONG = CheckResult(name="linearizable", valid=False, why="k3 went back from v2 to v1", ops=tuple(range(2000, 2100)))
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&lt;{{ 7*7 }}"


class Words(HTMLParser):
    """The text that a reader sees, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["script"], ["style"]):
            self.words.append(data)


def read(page: Path) -> Words:
    words = Words()
    words.feed(page.read_text())
    return words


def text_of(page: Path) -> str:
    return " ".join(" ".join(read(page).words).split())


def kept(folder: Path, history: History, result: Result | None = None, logs: dict[str, str] | None = None) -> Path:
    save(folder, result or concluded(history), history)
    (folder / "nodes").mkdir(exist_ok=True)
    for name, text in (logs or {}).items():
        (folder / "nodes" / f"{name}.log").write_text(text)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with a crash."""
    return page_of(tmp_path_factory.mktemp("crash"), crash())


def page_of(folder: Path, history: History, result: Result | None = None, logs: dict[str, str] | None = None) -> Path:
    out = folder / "report.html"
    write_report([kept(folder, history, result, logs)], out)
    return out


def drawing(page: Path, number: int = 1) -> str:
    found = re.search(rf'id="run-{number}-data">([^<]*)<', page.read_text())
    assert found
    return gzip.decompress(base64.b64decode(found.group(1))).decode()


@pytest.mark.usefixtures("undrawn")
def test_it_says_what_happened(tmp_path: Path) -> None:
    history = crash()
    page = page_of(tmp_path, history, concluded(history, checks=(WRONG,)), {"n1": "first line\nlast line\n", "n2": ""})
    text = text_of(page)
    for said in (
        "Fail. quorum/killed broke a promise through 1 fault: linearizable: k3 went back from v2 to v1.",
        "Kill one of three replicas under steady reads and writes.",
        "harness drill quorum/killed --seed 7",
        "linearizable k3 went back from v2 to v1",
        "p99 < 50ms observed 1,000 ms",
        "Operations that show why linearizable is not satisfied",
        "40 more are in the run's result",
        "n2 (pid 4242) ended by SIGKILL at 4 s",
        "recovered in 0.6 s",
        "killed SIGKILL",
        "client>n1 10 123,456 120,000",
        "first line last line",
        "Some CPU at 2.0 GHz, 2 cores, 7.8 GiB",
        "0123abc",
        "pandas 2.2.0",
        "embedded",
    ):
        assert said in text


def test_the_verdict_comes_first(page: Path) -> None:
    text = text_of(page)
    assert text.index("SLO missed.") < text.index("harness drill") < text.index("Checks") < text.index("What happened")


def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    words = read(page)
    assert "link" not in words.tags
    assert words.addresses == []
    assert "@import" not in page.read_text()


def test_whatever_comes_from_outside_stays_text(tmp_path: Path) -> None:
    ops = steady(50).assign(key=HOSTILE, value=HOSTILE, error=HOSTILE, node=HOSTILE)
    hit = window(4, 6) | {"evidence": HOSTILE, "targets": HOSTILE, "selector": HOSTILE, "fault": HOSTILE}
    events = [{"at_ns": 1, "node": HOSTILE, "kind": HOSTILE, "detail": HOSTILE}]
    links = [{"link": HOSTILE, "connections": 1, "received_bytes": 1, "sent_bytes": 1}]
    wrong = CheckResult(name=HOSTILE, valid=False, why=HOSTILE, ops=(1, 2))
    history = History.of(ops, [hit], events, links)
    result = concluded(
        history, checks=(wrong,), title=HOSTILE, drill=HOSTILE, rerun=HOSTILE, commit=HOSTILE, versions={HOSTILE: HOSTILE}
    )
    harmless = read(page_of(tmp_path / "harmless", crash(), concluded(crash(), checks=(WRONG,)), {"n1": "x"}))
    hostile = page_of(tmp_path / "hostile", history, result, {"n1": HOSTILE})
    assert read(hostile).tags.count("script") == harmless.tags.count("script")
    assert "img" not in read(hostile).tags
    assert html.escape(HOSTILE, quote=False)[:30] in hostile.read_text()
    assert "49" not in re.findall(r"lt;(\d+)", text_of(hostile))
    assert "owned" in drawing(hostile)


@pytest.mark.usefixtures("undrawn")
def test_events_of_a_training_are_told_in_sentences_and_others_as_they_are(tmp_path: Path) -> None:
    details = {
        "taken back": '{"generation":3,"step":20,"withdrawn":[30,40]}',
        "membership": '{"term":2,"step":9,"worker":"worker1","present":false}',
        "formed": "generation 1: rank0 rank1",  # of an older run
        "bit_flipped": '{"of":"gradient"}',
    }
    events: list[dict[str, object]] = [
        {"at_ns": at, "node": "coordinator", "kind": kind, "detail": detail}
        for at, (kind, detail) in enumerate(details.items())
    ]
    text = text_of(page_of(tmp_path, History.of(steady(50), events=events)))
    for said in (
        "to step 20; checkpoints withdrawn: 30 40 (generation 3)",
        "worker1 left out at step 9 (term 2)",
        "generation 1: rank0 rank1",
        '{"of":"gradient"}',
    ):
        assert said in text


def test_every_operation_is_drawn_where_there_is_room(page: Path) -> None:
    assert "Shown:" not in text_of(page)
    assert "read k" in drawing(page)


def test_the_thresholds_of_slos_are_drawn_where_there_is_an_axis_for_them(tmp_path: Path) -> None:
    history = crash()
    slos = ("p99 < 50ms", "max < 1000s", "rate >= 600/s", "availability >= 50%")
    drawn = drawing(page_of(tmp_path, history, concluded(history, slos=slos)))
    assert [slo for slo in slos if f'"{slo}"' in drawn] == ["p99 < 50ms", "rate >= 600/s"]  # 1000 s would squeeze all else


def test_calls_are_shown_by_node_if_several_answered(tmp_path: Path) -> None:
    """The percentiles are nearest ranks, as all others are: of 100 calls the 50th and the 99th."""
    ops = steady(rate=400, seconds=1)
    ops["node"] = ["n1" if number % 4 else "n2" for number in range(len(ops))]
    ops["done_ns"] = ops["due_ns"] + [(number // 4 + 1) * 1_000_000 for number in range(len(ops))]
    page = page_of(tmp_path / "two", History.of(ops))
    assert "Calls by node node done share p50 p99 n1 300 75 % 50 ms 99 ms n2 100 25 % 50 ms 99 ms" in text_of(page)
    assert "Answered by" in drawing(page)
    one = page_of(tmp_path / "one", History.of(steady(50)))
    assert "Calls by node" not in text_of(one)
    assert "Answered by" not in drawing(one)


@pytest.mark.parametrize("count", [2, 8, 40])
def test_neither_windows_nor_their_names_cover_others(count: int) -> None:
    windows = [window(at / count * 9, at / count * 9 + 0.5, label=f"w{at}", acted=None) for at in range(count)]
    result = concluded(History.of(steady(), windows))
    strip = fault_strip(result, 10)
    source = next(glyph.data_source.data for glyph in strip.renderers if "name" in glyph.data_source.data)
    taken: dict[float, list[tuple[float, float]]] = {}
    for name, x, align, left, right, y in zip(
        *(source[key] for key in ("name", "x", "align", "left", "right", "y")), strict=True
    ):
        name_s = len(name) * 6 / 280 * 10
        edges = (left, right, x - name_s if align == "right" else x + name_s)
        assert all(-0.01 <= edge <= 10.01 for edge in edges)
        taken.setdefault(y, []).append((min(edges), max(edges)))
    for extents in taken.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(extents)))


@pytest.mark.slow
def test_a_large_run_is_sampled_and_says_so(tmp_path: Path) -> None:
    history = crash(rate=20_000)
    page = page_of(tmp_path, history, concluded(history, checks=(WRONG,)), {"n1": "a long line of log\n" * 100_000})
    assert page.stat().st_size < MIB_2
    text = text_of(page)
    assert re.search(r"Shown: [\d,]+ of 188,000 ok operations \(the slowest, and a fair sample of the rest\)", text)
    assert "the end of 1,900,000 bytes" in text


def test_unfailed_minorities_are_drawn_whole(tmp_path: Path) -> None:
    history = History.of(spoil(steady(rate=20_000, seconds=2), 1, 1.01, "unknown"))
    assert "all 200 unknown" in text_of(page_of(tmp_path, history))


@pytest.mark.parametrize(
    "history",
    [
        History.of(steady().iloc[:0]),
        left_to_ci(History.of(steady().iloc[:1])),
        History.of(spoil(steady(seconds=2), 0, 2)),
        History.of(steady(seconds=2), [window(1, 1.5, injected=False, acted=None)]),
        left_to_ci(History.of(steady().iloc[:0], [window(1, 3)])),
        left_to_ci(History.of(steady(seconds=2).assign(done_ns=lambda ops: ops["due_ns"]))),
    ],
    ids=["no calls", "one call", "all failed", "fault never injected", "only a fault", "no time taken"],
)
def test_odd_runs_have_a_page(tmp_path: Path, history: History) -> None:
    page = page_of(tmp_path, history)
    assert "What happened" in text_of(page)
    assert "NaN" not in drawing(page)


@pytest.mark.usefixtures("undrawn")
def test_a_suite_begins_with_a_table_that_leads_to_each_run(tmp_path: Path) -> None:
    good = kept(
        tmp_path / "a", History.of(steady()), concluded(History.of(steady()), slos=("p50 < 1s",), drill="serving/healthy")
    )
    caught = concluded(crash(), checks=(WRONG,), expected="fail", caught_by="linearizable", drill="redis/killed")
    bad = kept(tmp_path / "b", crash())
    out = tmp_path / "out" / "suite.html"
    write_report([good, kept(tmp_path / "c", crash(), caught), bad], out)
    text = text_of(out)
    assert text.startswith("2 of 3 drills ended as expected")
    assert "serving/healthy Pass 5,000 500/s" in text
    assert "redis/killed Caught" in text
    assert "quorum/killed SLO missed" in text
    assert read(out).addresses == ["#run-1", "#run-2", "#run-3", *["#all"] * 3]
    assert all(f'id="{anchor}"' in out.read_text() for anchor in ("run-1", "run-2", "run-3", "all"))


@pytest.mark.usefixtures("undrawn")
def test_a_suite_begins_with_what_needs_looking_at(tmp_path: Path) -> None:
    steadily, crashed = History.of(steady(50)), crash(rate=50)
    wrong = msgspec.structs.replace(WRONG, ops=(200, 201))
    results = [
        concluded(steadily, slos=("p50 < 1s",), drill="good"),
        concluded(steadily, slos=("p50 < 1ms",), drill="slow"),
        concluded(crashed, checks=(wrong,), expected="fail", caught_by="linearizable", drill="caught"),
        concluded(steadily, slos=("recovery < 1s",), drill="open"),
        concluded(steadily, slos=("p50 < 1ms",), drill="slower"),
        concluded(crashed, checks=(wrong,), drill="wrong"),
    ]
    folders = [kept(tmp_path / result.drill, crashed, result) for result in results]
    out = tmp_path / "suite.html"
    write_report(folders, out)
    page = out.read_text()
    drills = re.findall(r'<a href="#run-\d">(\w+)</a>', page)
    assert drills == ["wrong", "open", "slow", "slower", "caught", "good"]
    unfolded = [drill for opened, drill in re.findall(r'<details class="fold"( open)?>.*?<h2>(\w+)</h2>', page, re.S) if opened]
    assert unfolded == drills[:3]


@pytest.mark.nightly
def test_a_suite_of_16_large_runs_stays_below_2_mb(tmp_path: Path) -> None:
    history = crash(rate=3000)
    logs = {f"n{number}": "a line of log, number so and so\n" * 2000 for number in range(5)}
    folder = kept(tmp_path / "a", history, concluded(history, checks=(WRONG,)), logs)
    write_report([folder] * 16, tmp_path / "suite.html")
    assert (tmp_path / "suite.html").stat().st_size < MIB_2


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs to report on"):
        write_report([], tmp_path / "report.html")


def test_options_of_a_command_are_not_broken_after_a_dash() -> None:
    line = "harness train --seed 7 -- torchrun --nproc-per-node 2 -m a-b 'x --y' --fault='<b>'"
    page = str(command(line))
    assert re.findall(r'<span class="option">(.*?)</span>', page) == [
        "--seed",
        "--",
        "--nproc-per-node",
        "-m",
        "--y",
        "--fault",
    ]
    assert html.unescape(re.sub(r"</?span[^>]*>", "", page)) == line
    assert "<b>" not in page


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run's folder"):
        write_report([tmp_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = kept(tmp_path / "a", crash(rate=50))
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"^Cannot write the report to .*: (Not a directory|File exists)\..*$"):
        write_report([folder], tmp_path / "file" / "report.html")
    with pytest.raises(UsageError, match=r"^Cannot write the report to \.: it is a folder\. Name a file, such as report"):
        write_report([folder], Path())


@pytest.mark.usefixtures("undrawn")
def test_a_page_that_could_not_be_written_leaves_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(part: Path, target: Path) -> None:
        assert part.stat().st_size > 0
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    folder = kept(tmp_path / "a", crash(rate=50))
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(HarnessError, match="No space left on device"):
        write_report([folder], tmp_path / "pages" / "report.html")
    assert list((tmp_path / "pages").iterdir()) == []


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PROBE = """<script>
const plots = [...document.querySelectorAll(".plot")];
dispatchEvent(new Event("beforeprint"));  // draws what is not on the screen as well
const timer = setInterval(() => {
  if (!plots.every((plot) => plot.firstElementChild || plot.textContent)) return;
  clearInterval(timer);
  const width = document.documentElement.scrollWidth - innerWidth;
  const failed = plots.filter((plot) => plot.textContent.includes("failed")).length;
  document.body.dataset.probe = `drawn ${plots.length}, failed ${failed}, too wide by ${Math.max(width, 0)}, ${document.title}`;
}, 50);
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [500, left_to_ci(1280)])
def test_a_browser_draws_it(tmp_path: Path, width: int) -> None:
    assert CHROMIUM
    ops = spoil(steady(), 4, 4.5, "failed", HOSTILE).assign(key=HOSTILE)
    history = History.of(ops, [window(4, 6), window(5, 7, label="w1", acted=False)], crash().events, crash().links)
    result = concluded(history, checks=(WRONG,), title=HOSTILE + "long" * 100, rerun="x" * 500)
    page = page_of(tmp_path, history, result, {"n1": "y" * 1000})
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text() + PROBE)
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
        "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom", probed.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run([CHROMIUM, *options], capture_output=True, text=True, check=True, timeout=60)
    assert 'data-probe="drawn 1, failed 0, too wide by 0, quorum/killed"' in shown.stdout
    assert "Uncaught" not in shown.stderr
    assert "BAD_COLUMN_NAME" not in shown.stderr


def test_a_training_shows_its_steps_and_its_loss(tmp_path: Path) -> None:
    steps: list[dict[str, object]] = [
        {
            "node": node,
            "generation": 0,
            "step": step,
            "begun_ns": step * 10**8,
            "done_ns": step * 10**8 + 10**7,
            "loss": 2.0 - step / 9,
        }
        for node in ("rank0", "rank1", "control")
        for step in range(5)
    ]
    page = page_of(tmp_path, History.of(steady(100, 2), steps=steps))
    assert {"Step done", "Loss"} <= set(re.findall(r'"text":"([^"]+)"', drawing(page)))
    assert "rank0 rank1" in text_of(page)
    assert "control" not in text_of(page)
    untrained = page_of(tmp_path / "other", History.of(steady(100, 2)))
    assert "Step done" not in drawing(untrained)
