"""Drills that pass and fail at one commit."""

from __future__ import annotations

from results.trends.flaky import flaky_drills
from tests.helpers.outcomes import DRILL, missed, night, nights, run


def test_a_mix_at_one_commit_is_named_with_its_rate_and_interval() -> None:
    (found,) = flaky_drills(nights([[run(), run(seed=2)], [run("fail", why="k3 lost"), run()], [run("unknown"), run()]]))
    assert (found.drill, found.runs, found.failed, found.unknown) == (DRILL, 5, 1, 1)
    assert found.interval.low < found.rate == 0.2 < found.interval.high
    assert (found.commits, found.last_night, found.example.why) == (("abc123",), "2026-01-02", "k3 lost")


def test_a_seed_that_always_fails_is_told_from_chance() -> None:
    by_seed = flaky_drills(nights([[run(seed=1), missed(seed=2)]] * 3))
    assert [(one.kind, [(mix.seed, mix.passed, mix.failed) for mix in one.by_seed]) for one in by_seed] == [
        ("by seed", [(1, 3, 0), (2, 0, 3)])
    ]
    assert [one.kind for one in flaky_drills(nights([[run()], [missed()]]))] == ["by chance"]
    assert [one.kind for one in flaky_drills(nights([[run(seed=1), missed(seed=2)]]))] == ["not known"]


def test_all_commits_at_which_it_passed_count_and_those_at_which_it_is_broken_do_not() -> None:
    commits = {"a": [run(), run("fail")], "b": [run(), run()], "c": [run("fail"), run("fail"), run("unknown")]}
    (found,) = flaky_drills([night(number, *runs, commit=commit) for number, (commit, runs) in enumerate(commits.items())])
    assert (found.commits, found.runs, found.failed, found.unknown) == (("a",), 4, 1, 0)


def test_the_last_failure_is_that_of_the_last_night_whatever_its_commit() -> None:
    commits = [("a", "first"), ("b", "second"), ("a", "third")]
    (found,) = flaky_drills([night(at, run(), run("fail", why=why), commit=commit) for at, (commit, why) in enumerate(commits)])
    assert (found.last_night, found.example.why) == ("2026-01-03", "third")


def test_what_changed_with_the_code_or_the_drill_is_not_flaky() -> None:
    assert flaky_drills([night(0, run(), commit="a"), night(1, run("fail"), commit="b")]) == ()
    assert flaky_drills([night(0, run(), commit=""), night(1, run("fail"), commit="")]) == ()
    assert flaky_drills([night(0, run(), commit="a+"), night(1, run("fail"), commit="a+")]) == (), "what is not committed"
    (within,) = flaky_drills([night(0, run(), run("fail"), commit="a+"), night(1, run(), run("fail"), commit="a+")])
    assert (within.commits, within.runs, within.failed) == (("a+",), 4, 2)
    assert flaky_drills(nights([[run()], [run("fail", definition="d2")]])) == ()


def test_a_run_that_came_to_no_result_hides_no_flaky_drill() -> None:
    nothing = run("unknown", definition="")
    (found,) = flaky_drills(nights([[run(), run("fail")], [nothing]]))
    assert (found.runs, found.failed) == (2, 1)
    assert flaky_drills(nights([[nothing]])) == ()


def test_always_failing_and_never_judged_are_not_flaky() -> None:
    assert flaky_drills(nights([[run("fail")]] * 5)) == ()
    assert flaky_drills(nights([[run()], [run("unknown")]])) == ()
    assert flaky_drills(nights([[run("fail", as_expected=True)]] * 2)) == ()


def test_a_known_bug_that_is_caught_now_and_then_is_flaky() -> None:
    (found,) = flaky_drills(nights([[run("fail", as_expected=True)], [run("pass", as_expected=False)]]))
    assert found.failed == 1


def test_only_the_last_thirty_nights_count_and_the_worst_comes_first() -> None:
    assert flaky_drills(nights([[run("fail")], *[[run()]] * 30])) == ()
    both = nights([[run("fail"), run(drill="a")], [run(), run(drill="a")], [run("fail"), run("fail", drill="a")]])
    assert [found.drill for found in flaky_drills(both)] == [DRILL, "a"]
