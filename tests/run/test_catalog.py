"""Finding drills, changing them from the command line, and drill files that are broken in many ways."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import drills
import faults
import harness.checkers
import systems
import workloads
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.run import catalog
from tests.helpers.engine import environment, write_drill
from tests.helpers.engine import harness as run_harness

GOOD = "drill = Drill(system=Echo(replicas=3), workload=Numbers(), load=Load(rate=10, seconds=5))\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder. Modules imported from it are removed with it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for package in (harness.checkers, systems, workloads, faults, drills):
        monkeypatch.setattr(package, "__path__", list(package.__path__))
    return tmp_path


def test_drills_are_named_by_their_paths_and_ones_own_come_first(here: Path) -> None:
    for name in ("top", "a/b/deep", "serving/healthy"):
        write_drill(here, name, GOOD)
    for name in ("_shared", "conftest", "a/__init__", "a/b/.ipynb_checkpoints/deep-checkpoint", "._top"):
        write_drill(here, name, "1 / 0")
    (here / "drills" / "folder.py").mkdir()
    found = catalog.drill_files()
    assert found["serving/healthy"] == here / "drills" / "serving" / "healthy.py"
    assert {"top", "a/b/deep", "serving/replica_crash"} <= set(found)
    assert not {"_shared", "conftest", "a/__init__", "folder", "._top"} & set(found)
    assert catalog.drill_names("a") == ["a/b/deep"]
    assert catalog.find_drill("top").title == "top is a test."
    assert next(entry.title for entry in catalog.drill_entries() if entry.name == "top") == "top is a test."


def test_a_drill_is_found_by_its_file_from_anywhere(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_drill(elsewhere, "x/one", GOOD)
    write_drill(here, "two", GOOD)
    (elsewhere / "loose.py").write_text((elsewhere / "drills" / "x" / "one.py").read_text())
    found = [catalog.find_drill(str(path)) for path in (elsewhere / "drills/x/one.py", elsewhere / "loose.py", "drills/two.py")]
    assert [named.name for named in found] == ["x/one", "loose", "two"]
    assert [named.again for named in found] == [str(elsewhere / "drills/x/one.py"), str(elsewhere / "loose.py"), "two"]


def test_the_wrong_folder_is_told(here: Path) -> None:
    for find in (catalog.find_drill, catalog.drill_names):
        with pytest.raises(UsageError, match="There is no folder drills here: only the harness's own drills are known"):
            find("mine/one")
    write_drill(here, "two", GOOD)
    for find in (catalog.find_drill, catalog.drill_names):
        with pytest.raises(UsageError, match=r"No (suite or )?drill called 'mine/one'\. [^.]*[.?]$"):
            find("mine/one")


def test_a_drill_imports_what_lies_beside_its_folder(here: Path) -> None:
    for file in ("mine_alone.py", "systems/mine_too.py", "faults/mine_as_well.py", "checkers/mine_judges.py"):
        (here / file).parent.mkdir(exist_ok=True)
        (here / file).write_text("def mine_judges(history): ...\n")
    (here / "faults" / "__init__.py").write_text("1 / 0  # never run: it is the harness's own that counts")
    write_drill(here, "mine", "import mine_alone, systems.mine_too, faults.mine_as_well, harness.checkers.mine_judges\n" + GOOD)
    assert catalog.find_drill("mine").name == "mine"


def test_drills_share_code_in_private_files_beside_them(here: Path) -> None:
    (here / "drills" / "some").mkdir(parents=True)
    (here / "drills" / "_rates.py").write_text("SLOW = 10\n")
    (here / "drills" / "some" / "_times.py").write_text("SHORT = 5\n")
    body = "drill = Drill(system=Echo(replicas=3), workload=Numbers(), load=Load(rate=SLOW, seconds=SHORT))\n"
    write_drill(here, "some/mine", f"from drills._rates import SLOW\nfrom drills.some._times import SHORT\n{body}")
    write_drill(here, "some/near", f"from .._rates import SLOW\nfrom ._times import SHORT\n{body}")
    for name in ("some/mine", "some/near"):
        found = catalog.find_drill(name)
        assert (found.drill.load.rate, found.drill.load.seconds, found.again) == (10, 5, name)


BROKEN_MODULES = {
    "checkers/empty.py": ("x = 1", "checkers/empty.py defines no checker: it needs a function 'empty'"),
    "checkers/mine.py": ("import nosuch", "harness.checkers.mine cannot be imported: ModuleNotFoundError"),
    "checkers/exits.py": ("raise SystemExit(7)", "harness.checkers.exits cannot be imported: SystemExit: 7"),
    "systems/exits.py": (
        "raise SystemExit(7)\n@dataclass\nclass Exits:\n    def nodes(self): ...",
        r"systems.exits +\(cannot be imported: SystemExit: 7",
    ),
    "faults/mine.py": ("x = (", r"faults.mine +\(cannot be imported: SyntaxError: '\(' was never closed"),
    "systems/mine.py": (
        "import nosuch\n@dataclass\nclass Mine:\n    def nodes(self): ...",
        r"systems.mine +\(cannot be imported",
    ),
}


@pytest.mark.slow
def test_broken_modules_of_ones_own_are_listed_with_their_errors(tmp_path: Path) -> None:
    for file, (text, _) in BROKEN_MODULES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    done = run_harness(tmp_path, "list")
    assert done.returncode == 0, done.stderr
    for _, message in BROKEN_MODULES.values():
        assert re.search(message, done.stdout), done.stdout
    assert "linearizable" in done.stdout


BROKEN = {
    "no drill in it": ("x = 1", "defines no drill: it needs a line `drill = Drill"),
    "another thing of that name": ("drill = 5", "defines no drill"),
    "syntax": ("drill = Drill(", r"line 8: SyntaxError: '\(' was never closed"),
    "a missing name": ("\n\ndrill = Nothing()", "line 10: NameError: name 'Nothing' is not defined"),
    "a missing module": ("import no_such_module", "line 8: ModuleNotFoundError: No module named 'no_such_module'"),
    "an error far below": ("Load(rate='x', seconds=1).rate / 0", "must be a number above 0"),
    "an unknown field": ("drill = Drill(sytem=1)", "line 8: TypeError: .*unexpected keyword argument 'sytem'"),
    "it exits": ("import sys; sys.exit('bye')", "line 8: SystemExit: bye"),
    "a window too late": (GOOD.replace("5))", "5), faults=[Kill('n1').between(4, 6)])"), "ends at 6 s, after the load stops"),
    "a bad SLO": (GOOD.replace("5))", "5), slos=['p99 < 10 parsecs'])"), r"p99 < 10 parsecs\n *\^"),
    "zero bytes": ("\0", r"SyntaxError|ValueError"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_drill_files_say_what_is_wrong_and_where(here: Path, how: str) -> None:
    body, message = BROKEN[how]
    write_drill(here, "broken", body)
    with pytest.raises(UsageError, match=f"(?s){here}/drills/broken.py.*{message}"):
        catalog.find_drill("broken")


def test_broken_drills_are_listed_with_their_errors_in_a_line_each(here: Path) -> None:
    bad = [how for how in BROKEN if how not in ("zero bytes", "a bad SLO")]
    for number, how in enumerate(bad):
        write_drill(here, f"broken{number}", BROKEN[how][0])
    write_drill(here, "slo", BROKEN["a bad SLO"][0])
    write_drill(here, "good", GOOD)
    titles = {entry.name: entry.title for entry in catalog.drill_entries()}
    assert titles["good"] == "good is a test."
    for number, how in enumerate(bad):
        assert titles[f"broken{number}"].startswith(f"(cannot be loaded: {here}/drills/broken{number}.py")
        assert re.search(BROKEN[how][1], titles[f"broken{number}"])
    assert "p99 < 10 parsecs" in titles["slo"]
    assert "\n" not in titles["slo"]


def test_an_error_in_a_module_of_ones_own_is_said_with_the_line_that_imports_it(here: Path) -> None:
    (here / "halfdone.py").write_text("\n\n\n\n\n\n\n\n\n\n\nx = (")
    write_drill(here, "broken", "import halfdone\n")
    with pytest.raises(UsageError, match=r"broken.py, line 8: SyntaxError: .*halfdone.py, line 12"):
        catalog.find_drill("broken")
    (here / "halfdone.py").write_text("import json\n\n\nprint(missing)\n")
    with pytest.raises(UsageError, match=r"broken.py, line 8: NameError: .* \(halfdone.py, line 4\)$"):
        catalog.find_drill("broken")
    (here / "halfdone.py").write_text("import json\n\n\njson.loads('{')\n")
    with pytest.raises(UsageError, match=r"broken.py, line 8: JSONDecodeError: .* \(halfdone.py, line 4\)$"):
        catalog.find_drill("broken")


def test_unknown_names_are_answered_with_near_ones(here: Path) -> None:
    with pytest.raises(UsageError, match=r"No drill called 'serving/healty'. Did you mean 'serving/healthy'\?"):
        catalog.find_drill("serving/healty")
    with pytest.raises(UsageError, match=r"There is no drill file no/such.py"):
        catalog.find_drill("no/such.py")
    with pytest.raises(UsageError, match=r"No suite or drill called 'servin'. Did you mean 'serving'\?"):
        catalog.drill_names("servin")
    with pytest.raises(UsageError, match=r"No checker called 'linearisable'. Did you mean 'linearizable'\?"):
        catalog.find_checker("linearisable")


def test_an_unknown_name_like_no_other_gets_a_few_examples() -> None:
    with pytest.raises(UsageError) as raised:
        catalog.find_drill("xyz")
    assert re.fullmatch(
        r"No drill called 'xyz'. There are \d+, such as (\S+/\S+, ){2}\S+/\S+; `harness list` shows them.", str(raised.value)
    )


def changed(here: Path, *settings: str) -> Drill:
    write_drill(here, "echo", GOOD)
    return catalog.find_drill("echo", settings).drill


def test_settings_reach_into_the_drill(here: Path) -> None:
    drill = changed(
        here, "load.rate=25.5", "system.replicas=5", "system.misbehave=crash", "load.seconds=9", 'slos=["p99 < 1s"]'
    )
    assert (drill.load.rate, drill.load.seconds, drill.slos) == (25.5, 9, ("p99 < 1s",))
    assert (len(drill.system.nodes()), vars(drill.system)["misbehave"]) == (5, "crash")
    assert changed(here, "load.clients=7").load.clients == 7


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("load.rate", r"expected FIELD=VALUE, such as load\.rate=1000"),
        ("load.rat=1", "No field of Load called 'rat'. Did you mean 'rate'"),
        ("lod.rate=1", "No field of Drill called 'lod'. Did you mean 'load'"),
        ("load.rate.x=1", "10 has no fields; stop one name earlier"),
        ("load.rate=fast", r"--set load\.rate=fast: .*float"),
        ("load.rate=-1", r"Load\(rate=-1.*\): must be a number above 0"),
        ("load.clients=1.5", "int"),
        ("load.arrivals=burst", "burst"),
        ("system.misbehave=badly", "badly"),
        ("system.replicas=", "int"),
        ("workload=Other", "--set workload=Other"),
        ("slos=p99 < 1s", "array"),
        ("load.seconds=", "float"),
        ("=5", "No field of Drill called ''"),
        (".=5", "No field of Drill called ''"),
    ],
)
def test_settings_that_make_no_sense(here: Path, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed(here, setting)


@pytest.mark.parametrize("package", [True, False])
def test_a_users_folders_never_hide_the_harness(tmp_path: Path, package: bool) -> None:
    """Even though the working directory comes first in sys.path, as with `python -m`."""
    for folder in ("faults", "results", "systems", "drills"):
        (tmp_path / folder).mkdir()
        if package:
            (tmp_path / folder / "__init__.py").write_text("1 / 0")
    code = "import harness.roots, harness.cluster.fault_plane, harness.model.slo, systems, workloads.load.arrivals, drills"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_package_that_was_imported_before_the_harness_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", "import results, harness"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "the harness needs its own package 'results'" in done.stderr


@pytest.mark.parametrize(
    "name", ["quorum/../quorum/isolated", "quorum//isolated", "./quorum/isolated", "/quorum/isolated", "quorum/_private"]
)
def test_a_drill_is_found_by_its_one_name_alone(name: str) -> None:
    with pytest.raises(UsageError, match="No drill called"):
        catalog.find_drill(name)
