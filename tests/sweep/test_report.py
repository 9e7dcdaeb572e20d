"""Report, table, winner, intervals and pictures of made-up trials."""

import csv

import pytest
from scipy import stats

from lit_medseg.sweep.importance import importances
from lit_medseg.sweep.plots import draw_plots
from lit_medseg.sweep.report import Findings, report_lines, short_name
from lit_medseg.sweep.rows import Row, as_csv, pareto_front, ranked, rows_of
from lit_medseg.sweep.shown_study import shown_study
from lit_medseg.sweep.study import quieten
from lit_medseg.sweep.tell import Outcome, report, tell
from tests.sweep.searches import opened, plan_with, search

METRIC = "val/dice"


def row(number, *values, state="COMPLETE", reason="", epochs=6, feasible=True, **settings):
    mean = (sum(values) / len(values),) if values else ()
    parts = tuple({"run": f"trial-{number:04}-r{i}", METRIC: value} for i, value in enumerate(values))
    return Row(number, state, mean, {"x": 0.5, **settings}, parts, reason, epochs, 60.0, feasible)


ROWS = [
    row(0, 0.80, 0.82, 0.81),
    row(1, 0.81, 0.81, 0.82),
    row(2, 0.60, 0.62, 0.61),
    row(3, state="PRUNED", reason="pruned at run 1", epochs=2),
    row(4, state="PRUNED", reason="constraint: cost/parameters is more than 10", epochs=0),
    row(5, state="FAILED", reason="out of memory: CUDA out of memory", epochs=0),
    row(6, 0.99, 0.99, 0.99, feasible=False),
    row(7, state="RUNNING"),
]


def test_the_report_says_what_is_best_and_how_sure_that_is(tmp_path):
    plan = plan_with(tmp_path, trials=9, repeats=3)
    text = "\n".join(report_lines(Findings(plan, ROWS, 6, {"a.init_args.lr": 0.7, "b.x": 0.3}, {7: "process 3"})))
    low, high = stats.t.interval(0.95, 2, loc=0.8133333, scale=stats.sem([0.81, 0.81, 0.82]))
    assert "8 of 9 trials: 4 complete, 2 pruned, 1 failed, 1 in work" in text
    assert f"trial 1: val/dice 0.8133 (95% {low:.4f} to {high:.4f} over 3 seeds, 0.8100 to 0.8200)" in text
    assert "cannot be told apart from it: trial 0 (0.8100)" in text
    assert "2 (0.61" not in text
    assert "(Tukey's range test, 95%)" in text
    assert "lr 70%, x 30%" in text
    assert "2 of 6, 1 of them for a constraint: 26 of 36 epochs trained (28% saved)" in text
    assert "trial 5: out of memory" in text
    assert "trial 7: process 3" in text


def test_one_run_a_trial_says_that_nothing_is_known_of_the_seed(tmp_path):
    lines = report_lines(Findings(plan_with(tmp_path), [row(0, 0.8), row(1, 0.7)]))
    assert any("how far the seed alone moves it is not known" in line for line in lines)
    assert report_lines(Findings(plan_with(tmp_path), []))[1] == "best        none: no trial is complete"


def test_the_winner_keeps_the_limits_and_the_first_of_equals_wins(tmp_path):
    plan = plan_with(tmp_path)
    assert [one.number for one in ranked(plan, [*ROWS, row(8, 0.80, 0.82, 0.81)])] == [1, 0, 8, 2]
    two = plan_with(tmp_path, objective=[METRIC, {"metric": "cost/s", "direction": "min"}])
    rows = [
        Row(i, "COMPLETE", v, {}, (), "", 1, 1.0, True) for i, v in enumerate([(0.9, 5), (0.8, 1), (0.7, 2), (0.9, 6)])
    ]
    assert [one.number for one in pareto_front(two, rows)] == [0, 1]


def test_the_table_has_a_line_for_each_trial(tmp_path):
    plan = plan_with(tmp_path)
    lines = list(csv.DictReader(as_csv(plan, ROWS).splitlines()))
    assert [line["state"] for line in lines[:4]] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    assert float(lines[0][METRIC]) == pytest.approx(0.81)
    assert lines[3][METRIC] == ""
    assert (lines[0]["x"], lines[0]["slope"]) == ("0.5", "")
    assert lines[0]["runs"] == "trial-0000-r0 trial-0000-r1 trial-0000-r2"


@pytest.mark.filterwarnings("ignore:.*experimental.*")
def test_pictures_and_importance_of_a_real_study(tmp_path):
    quieten()
    plan = plan_with(tmp_path, trials=12)
    search(plan, tmp_path)
    study, _ = opened(plan, tmp_path)
    names = {file.name for file in draw_plots(plan, study, tmp_path)}
    assert names == {"optimization_history.png", "param_importances.png", "parallel_coordinate.png", "plots.html"}
    page = (tmp_path / "plots.html").read_text()
    assert page.count("plotly-graph-div") >= 3
    assert "cdn.plot.ly" not in page.split("<body>")[1].split("plotly.js v")[0]  # it needs no network
    assert (tmp_path / "param_importances.png").read_bytes().startswith(b"\x89PNG")
    shares = importances(plan, study)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["x"] == max(shares.values())
    two = plan_with(tmp_path, trials=6, name="two", objective=[METRIC, {"metric": "b", "direction": "min"}])
    search(two, tmp_path)
    study, _ = opened(two, tmp_path)
    assert "pareto_front.png" in {file.name for file in draw_plots(two, study, tmp_path)}
    assert len(rows_of(study)) == 6


@pytest.mark.filterwarnings("ignore:.*experimental.*")
def test_pruned_trials_are_shown_and_count_with_what_they_had_reached(tmp_path):
    quieten()
    space = {"a.init_args.x": {"low": 0.0, "high": 1.0}, "b.init_args.depth": {"low": 1, "high": 4}}
    plan = plan_with(tmp_path, space=space)
    study, _ = opened(plan, tmp_path)
    distributions = {parameter.name: parameter.domain.distribution() for parameter in plan.space}
    for number in range(6):
        trial = study.ask(distributions)
        for epoch in range(1, 3):
            report(study, number, epoch, trial.params["a.init_args.x"] * epoch / 2)
        value, reason = trial.params["a.init_args.x"], "" if number < 2 else "pruned at epoch 2"
        outcome = Outcome("COMPLETE", (value,)) if number < 2 else Outcome("PRUNED", (), reason, ({METRIC: value},))
        tell(plan, study, number, outcome)
    tell(plan, study, study.ask(distributions).number, Outcome("FAILED", reason="out of memory"))
    shown = shown_study(plan, study, pruned_count=True)
    assert [trial.state.name for trial in shown.get_trials()] == ["COMPLETE"] * 6 + ["FAIL"]
    assert all(trial.value == trial.params["x"] for trial in shown.get_trials()[:6])
    shares = importances(plan, study)  # two complete trials alone would say nothing
    assert shares["x"] > 0.5
    assert set(shares) == {"x", "depth"}
    draw_plots(plan, study, tmp_path)
    page = (tmp_path / "plots.html").read_text()
    assert "init_args" not in page.rpartition("plotly.js v")[2].partition("</script>")[2]
    assert all(f'"{word}"' in page for word in ("pruned", "failed", "trial 1", "trial 3, pruned", "epoch"))


def test_names_are_shortened_as_far_as_they_stay_unlike():
    names = dict.fromkeys(["a.init_args.lr", "b.init_args.lr", "c.init_args.depth"])
    assert [short_name(name, names) for name in names] == ["a.lr", "b.lr", "depth"]
