"""`crossval`: train and test an experiment once a fold, and say what the folds found together."""

import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.cluster.child_log import last_lines
from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.cluster.requeue import requeue
from lit_medseg.commands.crossval_folder import FILE, open_folder
from lit_medseg.commands.crossval_results import ENSEMBLE, print_results, write_results
from lit_medseg.commands.crossval_settings import CrossvalSettings, read_settings, shown_splitter
from lit_medseg.crossval.check_folds import FoldData, split_folds
from lit_medseg.crossval.chosen import CHOSEN, chosen_steps
from lit_medseg.crossval.fold_work import FoldWork, Orders
from lit_medseg.crossval.run_child import run_child
from lit_medseg.crossval.run_works import Outcome, run_works
from lit_medseg.tracking.flatten import flatten
from lit_medseg.tracking.parent_run import ParentRun
from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.share_secret import share_secret
from lit_medseg.tracking.shown_path import shown_path
from lit_medseg.tracking.store import resolve_uri
from lit_medseg.tracking.without_paths import without_paths

_CHOOSE = "choose-post-processing"
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Run a cross-validation, or go on with it: what is done is not done again.

    Args:
        argv: The arguments after the verb.

    Returns:
        0; 1 where a fold failed, 2 where the input of the folds cannot be used, 130, 143 or 138 where it was told to
        stop by Ctrl-C, SIGTERM or SIGUSR1: the same command goes on.

    Raises:
        MedSegError: The user's input cannot be used; no fold was started.
    """
    if argv[:1] == [_CHOOSE]:
        from lit_medseg.commands.crossval_choose import choose  # noqa: PLC0415 the parent imports no torch

        choose(Path(argv[1]))
        return 0
    settings = read_settings(argv)
    data = settings.data
    pool = DevicePool(settings.workers, settings.devices, settings.devices_per_fold)
    data.source.prepare()
    manifest = build_manifest(data.source, data.classes, data.cache_dir, data.trust.patients)
    folds = split_folds(settings.plan.list_folds(), manifest, data.classes, data.trust.identical)
    signals = ParentSignals()
    with signals.listen():
        return _Crossval(settings, manifest, folds, pool, signals).run()


class _Crossval:
    """One call of the command."""

    def __init__(
        self,
        settings: CrossvalSettings,
        manifest: Manifest,
        folds: Sequence[FoldData],
        pool: DevicePool,
        signals: ParentSignals,
    ) -> None:
        self.settings, self.manifest, self.folds = settings, manifest, folds
        self.pool, self.signals = pool, signals
        self.console = Console()

    def run(self) -> int:
        """Open the run, do what is left, and end it truthfully; the exit status."""
        folder, new = open_folder(self.settings, self.manifest.data_hash, self.folds)
        if not new and folder.read().status == "FINISHED" and not self._lacks_ensemble(folder):
            self._tell(f"cross-validation {folder.name} is finished; --name starts another")
            print_results(self.console, self.settings, folder, self._works(folder, ""))
            return 0
        self._announce(folder, new)
        uri = resolve_uri(self.settings.tracking)
        open_run = ParentRun.begin if new else ParentRun.resume
        parent = open_run(folder, uri, {"verb": "crossval", "folds": str(self.settings.plan.folds)})
        try:
            return self._end(parent, self._work(parent))
        except KeyboardInterrupt:
            parent.close("KILLED", "interrupted (Ctrl-C)")
            return _INTERRUPTED
        except BaseException as error:
            parent.close("FAILED", f"{type(error).__name__}: {str(error)[:1000]}")
            raise

    def _work(self, parent: ParentRun) -> Outcome:
        """Run the folds, choose post-processing, write results and ensemble."""
        folder = parent.folder
        parent.params(flatten({"crossval": self.settings.plan.plain()}))
        parent.tags({"data_hash": self.manifest.data_hash})
        parent.artifact(folder.path / FILE)
        works = self._works(folder, parent.run_id)
        outcome = run_works(works, self.pool, self._stopped, self._tell)
        if self._is_over(outcome):
            return outcome
        if self.settings.choose_post_processing:
            outcome = self._choose(folder)
            works = works if self._is_over(outcome) else self._retested(folder, works, parent.run_id)
            outcome = outcome if self._is_over(outcome) else run_works(works, self.pool, self._stopped, self._tell)
            if self._is_over(outcome):
                return outcome
        command = without_paths(["python", "-m", "lit_medseg", *sys.argv[1:]], Path.cwd())
        write_results(parent, self.settings, works, command)
        if self._lacks_ensemble(folder):
            outcome = self._ensemble(folder, works)
        if not self._is_over(outcome):
            for work in works:
                shutil.rmtree(work.masks, ignore_errors=True)
            print_results(self.console, self.settings, folder, works)
        return outcome

    def _works(self, folder: RunFolder, parent_run: str) -> list[FoldWork]:
        orders = self._orders(folder, parent_run)
        keeps = self.settings.choose_post_processing
        if keeps and (folder.path / CHOSEN).is_file():
            return self._retested(folder, [FoldWork(one, orders) for one in self.folds], parent_run)
        return [FoldWork(one, orders, masks=keeps and one.fold.inner is None) for one in self.folds]

    def _orders(self, folder: RunFolder, parent_run: str) -> Orders:
        settings = self.settings
        tracking = None if settings.tracking is None else share_secret(settings.tracking)
        places = (settings.experiment, settings.runs_dir, tracking)
        return Orders(settings.configs, settings.words, *places, folder.name, parent_run)

    def _choose(self, folder: RunFolder) -> Outcome:
        """Have a child choose the post-processing of every fold on the masks of the others."""
        if (folder.path / CHOSEN).is_file():
            return Outcome()
        self._tell("choosing each fold's post-processing on the other folds")
        return self._child(["crossval", _CHOOSE, str(folder.path)], folder, "post-processing")

    def _retested(self, folder: RunFolder, works: Sequence[FoldWork], parent_run: str) -> list[FoldWork]:
        """Give the folds with post-processing another test; what was found without it stands for the others."""
        orders = self._orders(folder, parent_run)
        return [
            FoldWork(work.data, orders, retest=True)
            if work.data.fold.inner is None and chosen_steps(folder.path, work.data.fold.number)
            else work
            for work in works
        ]

    def _lacks_ensemble(self, folder: RunFolder) -> bool:
        return self.settings.ensemble and not (folder.path / ENSEMBLE).is_file()

    def _ensemble(self, folder: RunFolder, works: Sequence[FoldWork]) -> Outcome:
        members = [str(work.checkpoint) for work in works if work.data.fold.inner is None]
        chosen = folder.path / CHOSEN
        words = ["--post_processing", str(chosen)] if chosen.is_file() else []
        self._tell("putting the folds together into an ensemble")
        return self._child(["ensemble", *members, "--output", str(folder.path / ENSEMBLE), *words], folder, "ensemble")

    def _child(self, arguments: list[str], folder: RunFolder, name: str) -> Outcome:
        fault = run_child(arguments, folder.path / "folds" / f"{name}.log", self.pool, self._stopped)
        return Outcome({name: fault} if fault else {}, stopped=self._stopped())

    def _end(self, parent: ParentRun, outcome: Outcome) -> int:
        """End the run as what it is; the exit status."""
        if outcome.stopped:
            number = self.signals.first
            parent.close("KILLED", f"told to stop ({'' if number is None else number.name})")
            self._tell(f"stopped: cross-validation {parent.folder.name} is marked KILLED; the same command goes on")
            if number is signal.SIGUSR1:
                requeue()
            return self.signals.status
        if not outcome.failed:
            parent.close("FINISHED")
            return 0
        parent.close("FAILED", "; ".join(f"{title}: {text}" for title, text in outcome.failed.items()))
        logs = {work.title: work.log for work in self._works(parent.folder, "")}
        for title, text in outcome.failed.items():
            log = logs.get(title, parent.folder.path / "folds" / f"{title}.log")
            lines = [] if outcome.fault else [f"    {line}" for line in last_lines(log)]
            print("\n".join([f"error: {title}: {text}", *lines, f"    log: {shown_path(log)}"]), file=sys.stderr)
        self._tell("the same command runs again what failed, and nothing else")
        return 2 if outcome.fault else 1

    def _announce(self, folder: RunFolder, new: bool) -> None:
        settings, plan = self.settings, self.settings.plan
        nested = f", {plan.nested} inner folds in each" if plan.nested else ""
        drawn = f"val {plan.val:g} of the rest, by patient, balanced by {plan.stratify or 'class'}"
        self._tell(
            f"cross-validation {folder.name}{'' if new else ' goes on'}: {plan.folds} folds{nested}, "
            f"{drawn} (in place of the YAML's {shown_splitter(settings.data)})"
        )
        self._tell(f"{self.pool.size} at once; logs in {shown_path(folder.path / 'folds')}")

    def _stopped(self) -> bool:
        return self.signals.first is not None

    def _tell(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @staticmethod
    def _is_over(outcome: Outcome) -> bool:
        return bool(outcome.stopped or outcome.failed)
