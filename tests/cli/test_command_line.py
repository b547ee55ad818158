"""The command line as scripts see it: exit codes, one line of error, the JSON."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from harness.cli.main import run
from harness.cli.registry import commands
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import ROOT, environment, harness, harness_running, node_process, nothing_left, until, write_drill

GOOD = """
drill = Drill(
    system=Echo(replicas=2), workload=Numbers(), load=Load(rate=100, seconds=1.2, timeout_ms=300),
    faults=[Pause("n1").between(0.2, 0.4), Kill("one").between(0.6, 0.8)], slos=["availability >= 5%", "max < 1000s"],
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    write_drill(folder, "echo/good", GOOD)
    write_drill(folder, "echo/slow", GOOD.replace("1000s", "0.001ms"))
    write_drill(folder, "echo/idle", GOOD.replace('Kill("one")', 'Isolate("n1>n2")'))
    write_drill(folder, "echo/dead", GOOD.replace("replicas=2", "replicas=2, misbehave='not start'"))
    write_drill(folder, "echo/crash", GOOD.replace("replicas=2", "replicas=2, misbehave='crash'"))
    return folder


@pytest.mark.parametrize(
    ("drill", "code", "verdict"),
    [
        ("good", 0, "pass"),
        left_to_ci("slow", 3, "slo"),
        left_to_ci("idle", 4, "unknown"),
        left_to_ci("crash", 1, "fail"),
    ],
)
def test_exit_codes_and_json(folder: Path, drill: str, code: int, verdict: str) -> None:
    done = harness(folder, "drill", f"echo/{drill}", "--seed", "7", "--json", "out.json")
    written = json.loads((folder / "out.json").read_text())
    [result] = written["results"]
    assert (written["exit_code"], written["unfinished"]) == (done.returncode, [])
    if drill != "crash" and not next(check for check in result["checks"] if check["name"] == "generator_kept_up")["valid"]:
        pytest.skip("this machine is too busy to judge a load of 100 calls a second")
    assert (done.returncode, result["verdict"]) == (code, verdict), done.stdout + done.stderr
    assert (result["drill"], result["seed"]) == (f"echo/{drill}", 7)
    assert all({"name", "valid", "why"} <= set(check) for check in result["checks"])
    assert all({"text", "value", "ok"} <= set(slo) for slo in result["slos"])
    assert {"requests", "rate_per_s", "p50_ms", "p99_ms", "p999_ms", "max_ms", "availability", "recovery_s"} <= set(
        result["metrics"]
    )
    assert all({"kind", "targets", "from_s", "to_s", "acted", "evidence"} <= set(fault) for fault in result["faults"])
    assert result["rerun"] == f"harness drill echo/{drill} --seed 7"
    assert result["rerun"] in done.stdout
    assert done.stderr == ""
    assert nothing_left(folder)
    [run_dir] = (folder / "runs" / "echo" / drill).iterdir()
    again = harness(folder, "check", str(run_dir))
    assert again.returncode == code, again.stdout + again.stderr


@pytest.mark.slow
def test_several_drills_have_one_json_of_the_same_shape_and_the_gravest_exit_code(folder: Path) -> None:
    done = harness(folder, "drill", "echo/crash", "echo/dead", "echo/slow", "--json", "-", "--set", "load.seconds=1.3")
    written = json.loads(done.stdout)
    assert [result["drill"] for result in written["results"]] == ["echo/crash", "echo/slow"]
    [unfinished] = written["unfinished"]
    assert unfinished["drill"] == "echo/dead"
    assert "there is no flux capacitor" in unfinished["why"]
    assert (done.returncode, written["exit_code"]) == (1, 1)
    assert all("--set load.seconds=1.3" in result["rerun"] for result in written["results"])
    for place, drill in (("1/3", "echo/crash"), ("3/3", "echo/slow")):  # what people read is not mixed with the JSON
        assert re.search(rf"^{place}  ✘ .*{drill}", done.stderr, re.MULTILINE)


@pytest.mark.slow
def test_an_interrupted_suite_leaves_the_summary_and_the_page_of_what_is_done(folder: Path) -> None:
    for name in ("a", "b"):
        write_drill(folder, f"two/{name}", GOOD.replace("1.2", "20" if name == "b" else "1.2"))
    with harness_running(folder, "run", "two", "--json", "two.json") as suite:
        until(lambda: (folder / "runs" / "two" / "b").exists())
        until(lambda: node_process(folder, "client"))
        suite.send_signal(signal.SIGINT)
        said, errors = suite.communicate(timeout=60)
    assert (suite.returncode, errors) == (130, "")
    assert re.search(r"^.  two/a +\w+", said, re.MULTILINE)
    assert re.search(r"of 1 drills ended as expected. 1 of 2 have no result.$", said, re.MULTILINE)
    assert Path(folder, said.splitlines()[-1].removeprefix("Report").strip()).is_file()
    written = json.loads((folder / "two.json").read_text())
    assert [result["drill"] for result in written["results"]] == ["two/a"]
    assert (written["exit_code"], written["unfinished"]) == (130, [{"drill": "two/b", "why": "interrupted"}])
    assert nothing_left(folder)


@pytest.mark.slow
def test_an_slo_that_the_planned_calls_cannot_decide_is_told_before_the_run(folder: Path) -> None:
    done = harness(folder, "drill", "echo/good", "--set", 'slos=["p99.9 < 50s","p50 < 50s"]')
    [line, *_] = done.stdout.splitlines()
    assert line.startswith("? echo/good: p99.9 < 50s needs 6,636 calls and about 120 are planned")
    assert "p50" not in line


@pytest.mark.slow
def test_what_is_piped_is_not_wrapped(folder: Path) -> None:
    done = harness(folder, "drill", "echo/idle", COLUMNS="")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("? Unknown.")]
    assert len(line) > 100


def test_a_result_of_yesterday_is_not_taken_for_one_of_today(folder: Path) -> None:
    (folder / "old.json").write_text('{"verdict": "pass"}')
    assert harness(folder, "drill", "echo/dead", "--json", "old.json").returncode == 4
    assert (folder / "old.json").read_text() == ""


WRONG = {
    "no command": ([], 2, "the following arguments are required: COMMAND"),
    "an unknown command": (["fly"], 2, "invalid choice: 'fly'"),
    "an unknown option": (["drill", "echo/good", "--sede", "7"], 2, "Did you mean '--seed'? See `harness drill --help`."),
    "an option like no other": (["drill", "echo/good", "--quietly"], 2, "arguments: --quietly. See `harness drill --help`."),
    "a script's own options": (
        ["train", "torchrun", "--standalone"],
        2,
        "put -- before that command. See `harness train --help`.",
    ),
    "no drill": (["drill"], 2, "required: NAME"),
    "an unknown drill": (["drill", "echo/god"], 2, "No drill called 'echo/god'. Did you mean 'echo/good'?"),
    "an unknown suite": (["run", "ecko"], 2, "No suite or drill called 'ecko'. Did you mean 'echo'?"),
    "an empty name, as of a variable that is not set": (["run", ""], 2, "No suite or drill called ''."),
    "a port that is none": (["toxiproxy", "serve", "--port", "99999"], 2, "'99999' is not a port from 1 to 65535"),
    "a port that nobody could find": (["ui", "--port", "0"], 2, "'0' is not a port from 1 to 65535"),
    "a seed that is none": (["drill", "echo/good", "--seed", "x"], 2, "argument --seed: 'x' is not a whole number"),
    "a seed too long for the history": (["nightly", "echo", "--seed", "9" * 20], 2, f"{'9' * 20} does not fit into 64 bits"),
    "a setting that is none": (["drill", "echo/good", "--set", "load.rat=1"], 2, "Did you mean 'rate'?"),
    "a fault plane that is none": (["drill", "echo/good", "--fault-plane", "x"], 2, "invalid choice: 'x'"),
    "no report to write": (["report", "nowhere"], 2, "nowhere is not a run's folder"),
    "no history to judge": (["check", "nowhere"], 2, "nowhere"),
    "a JSON file nowhere": (["drill", "echo/good", "--json", "no/where.json"], 2, "Cannot write no/where.json: No such file"),
    "runs where a file is": (["drill", "echo/good", "--runs", "drills/echo/good.py"], 2, "Not a directory"),
    "a suite instead of a drill": (
        ["drill", "echo"],
        2,
        "'echo' is a suite of drills. Run it with `harness run echo`",
    ),
    "a page nowhere": (["report", "runs", "--out", "drills/echo/good.py/page.html"], 2, "runs is not a run's folder"),
    "a node that does not start": (["drill", "echo/dead"], 4, "there is no flux capacitor"),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_is_said_in_one_line(folder: Path, how: str) -> None:
    arguments, code, message = WRONG[how]
    done = harness(folder, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
    assert nothing_left(folder)


@pytest.mark.slow
def test_a_toxiproxy_that_is_not_there_is_said_in_one_line(folder: Path) -> None:
    done = harness(folder, "drill", "echo/good", "--fault-plane", "toxiproxy", TOXIPROXY_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "The fault plane at 127.0.0.1:1 does not answer" in done.stderr
    done = harness(folder, "drill", "echo/good", "--fault-plane", "toxiproxy", TOXIPROXY_URL="nonsense")
    assert (done.returncode, "expected an address such as http://127.0.0.1:8474" in done.stderr) == (2, True)


@contextlib.contextmanager
def tiny_disk(at: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of a few kilobytes, if this process may create one."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(at)]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("mounting a small file system takes root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)  # noqa: S607 - whichever there is


@pytest.mark.parametrize("kilobytes", [4, 40, 80, 150])
@pytest.mark.slow
def test_a_full_disk_is_said_in_one_line(folder: Path, tmp_path: Path, kilobytes: int) -> None:
    """The disk is full at once, when nodes start, when the log is written, or when the run is saved."""
    with tiny_disk(tmp_path / "small", kilobytes) as small:
        done = harness(folder, "drill", "echo/good", "--runs", str(small))
        assert done.returncode in (4, 70), done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "No space left on device" in done.stderr
        assert nothing_left(small)


COMMANDS = tuple(commands())


def test_help_names_every_command_and_waits_for_none_of_their_imports() -> None:
    code = (
        "import sys; from harness.cli.main import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: print(sorted({'bokeh', 'numpy', 'pandas', 'psutil', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s+[A-Z]", done.stdout, re.MULTILINE), done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run([command, "--help"])
    shown = capsys.readouterr()
    assert shown.out.startswith(f"usage: harness {command} ")
    assert "-h, --help" in shown.out
    assert not shown.err


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    assert harness(folder, "--version").stdout == f"harness {metadata.version('distributed-ml-harness')}\n"


def test_a_checkout_that_is_not_installed_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(SystemExit, match="0"):
        run(["--version"])
    assert capsys.readouterr().out == "harness (checkout, not installed)\n"


@pytest.mark.slow
def test_output_into_a_pipe_that_closes(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "list"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 128 + signal.SIGPIPE


def test_the_commands_are_the_modules_that_define_execute_with_the_first_lines_of_their_docstrings() -> None:
    parsed = {file.stem: ast.parse(file.read_bytes()) for file in (ROOT / "harness" / "cli").glob("[!_]*.py")}
    expected = {
        name: (ast.get_docstring(tree) or "").partition("\n")[0].removesuffix(".")
        for name, tree in parsed.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "execute" for node in tree.body)
    }
    assert {name: command.summary for name, command in commands().items()} == expected
    assert all(expected.values())
