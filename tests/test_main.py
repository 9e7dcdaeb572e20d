import gc
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_medseg import main as cli
from lit_medseg.errors import DataError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def verb(monkeypatch):
    """Replace what a verb's module does; gives the list of the calls."""
    calls = []

    def install(action):
        def run(argv):
            calls.append(argv)
            return action()

        for module in {verb.module for verb in cli.VERBS.values()}:
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setattr(cli.importlib, "import_module", lambda name: SimpleNamespace(main=run))
        return calls

    return install


def test_help_names_every_verb_with_an_example(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, entry in cli.VERBS.items():
        assert f"  {name} " in text
        assert entry.does in text
        assert f"python -m lit_medseg {name} {entry.example}".rstrip() in text
    assert max(map(len, text.splitlines())) <= 80
    assert cli.main([]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("argument", ["--help", "--version", "fitt"])
def test_help_imports_nothing_heavy(argument):
    code = (
        "import sys\nfrom lit_medseg.main import main\n"
        f"main([{argument!r}])\n"
        "print([name for name in ('torch', 'lightning', 'numpy', 'mlflow', 'rich') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_version_is_the_projects(capsys):
    assert cli.main(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"lit_medseg {project['version']}\n"


@pytest.mark.parametrize(("typed", "meant"), [("fitt", "fit"), ("pred", "predict"), ("docter", "doctor"), ("UI", "ui")])
def test_unknown_verb_names_the_nearest(capsys, typed, meant):
    assert cli.main([typed]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: command line: unknown verb, expected one of ")
    assert f"got {typed!r}. Did you mean {meant!r}?" in captured.err


@pytest.mark.parametrize(("name", "given"), [("fit", ["fit", "--x"]), ("predict", ["predict", "--x"]), ("ui", ["--x"])])
def test_the_verb_gets_its_arguments_and_gives_the_status(verb, name, given):
    calls = verb(lambda: 7)
    assert cli.main([name, "--x"]) == 7
    assert calls == [given]


def test_the_users_fault_is_printed_without_traceback(verb, capsys):
    def fail():
        raise DataError("case 007: no mask, expected a file, got none. Add it.")

    verb(fail)
    assert cli.main(["fit"]) == 2
    assert capsys.readouterr().err == "error: case 007: no mask, expected a file, got none. Add it.\n"


def test_our_own_fault_keeps_its_traceback(verb):
    def fail():
        raise ZeroDivisionError

    verb(fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["fit"])


def test_ctrl_c_is_130(verb):
    def fail():
        raise KeyboardInterrupt

    verb(fail)
    assert cli.main(["fit"]) == 130


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_a_module(name):
    assert importlib.util.find_spec(cli.VERBS[name].module) is not None


def test_environment_is_set_and_the_users_wins(verb, monkeypatch):
    verb(lambda: 0)
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    cli.main(["fit"])
    assert cli.os.environ["NO_ALBUMENTATIONS_UPDATE"] == ""
    assert cli.os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY")


@pytest.mark.parametrize(
    ("does", "status"), [("return 7", 7), ("raise SystemExit(3)", 3), ("raise SystemExit('no')", 1), ("1 / 0", 1)]
)
def test_the_process_ends_with_the_status_and_everything_said(does, status):
    code = (
        "import atexit, runpy, lit_medseg.main as entry\n"
        f"def main():\n    atexit.register(print, 'registered', end='')\n    print('said', end='')\n    {does}\n"
        "entry.main = main\n"
        "runpy.run_module('lit_medseg', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (status, "saidregistered")
    assert ("ZeroDivisionError" in done.stderr) == (does == "1 / 0")


@pytest.mark.parametrize("module", ["lit_medseg.errors", "lit_medseg.no_such_module"])
def test_the_garbage_collector_is_on_again_after_an_import(module):
    try:
        cli._imported(module)
    except ModuleNotFoundError:
        assert module == "lit_medseg.no_such_module"
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
