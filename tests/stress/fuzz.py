"""Searches for inputs at which a reader fails, guided by coverage: `python -m tests.stress.fuzz [NAME ...]`.

It needs atheris (the extra `fuzz`). Each target of `tests/fuzz_targets.py` runs in a process of its own. If a target
raises an exception, its input is stored in a file, and the finding is printed and counted in the table at the end. The
exit status is 1 if anything was found.

A name is that of a target, or of a family of targets: `python -m tests.stress.fuzz families` searches 10 minutes in
each family of readers of corpora.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

TARGET, FINDINGS = "FUZZ_TARGET", "FUZZ_FINDINGS"  # environment variables for a target's own process
OURS = ["glove", "keras_gca", "gail_tf", "pickle", "pickletools", "zipfile", "gzip", "csv"]
MEMORY = 4096  # MB
ALL_FAMILIES = "families"


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets one after another, and return the exit status."""
    options = _parser().parse_args(arguments)
    print("| target | executions | seconds | edges covered | findings |\n| --- | --- | --- | --- | --- |", flush=True)
    found = 0
    for target, minutes in planned(options.names, options.minutes):
        executions, seconds, edges, findings = fuzz(target, 60 * minutes, options.corpus)
        found += len(findings)
        print(f"| {target} | {executions:,} | {seconds:.0f} | {edges:,} | {len(findings)} |", flush=True)
        for finding in findings:
            print(f"{target}: {finding}", file=sys.stderr)
    return 1 if found else 0


def fuzz(target: str, seconds: float, folder: Path) -> tuple[int, float, int, list[Path]]:
    """Fuzz one target. Return the executions, the seconds, the covered edges and the files of the findings."""
    corpus, findings = folder / target, folder / "findings" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {TARGET: target, FINDINGS: str(findings)}
    executions, edges, start = 0, 0, time.monotonic()
    while (left := seconds - (time.monotonic() - start)) >= 1:
        limits = [f"-max_total_time={int(left)}", f"-rss_limit_mb={MEMORY}", "-timeout=20", "-print_final_stats=1"]
        command = [sys.executable, "-m", "tests.stress.fuzz", *limits, f"-artifact_prefix={findings}/", str(corpus)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
        # If the process itself crashes (memory, time, a library), a new process continues.
        executions += max(map(int, re.findall(r"^stat::number_of_executed_units: (\d+)", done.stderr, re.M)), default=0)
        edges = max(edges, *map(int, re.findall(r"cov: (\d+)", done.stderr)), 0)
        if done.returncode and not list(findings.iterdir()):
            raise RuntimeError(f"{target} did not run:\n{done.stderr[-3000:]}")
    # A file .txt beside an input has the exception.
    inputs = sorted(path for path in findings.iterdir() if path.suffix != ".txt")
    return executions, time.monotonic() - start, edges, inputs


def planned(names: list[str], minutes: float) -> list[tuple[str, float]]:
    """Return the targets and their minutes. The targets of a family divide its minutes."""
    from tests.fuzz_targets import FAMILIES, TARGETS

    planned = []
    for name in names or TARGETS:
        for family in FAMILIES if name == ALL_FAMILIES else (name,):
            members = FAMILIES.get(family, (family,))
            planned += [(target, minutes / len(members)) for target in members]
    unknown = [target for target, _ in planned if target not in TARGETS]
    if unknown:
        raise SystemExit(f"no target {unknown[0]}; choose from {', '.join((*FAMILIES, ALL_FAMILIES, *TARGETS))}")
    return planned


def _child(target: str, findings: Path, arguments: list[str]) -> None:
    """Fuzz in this process, which ends when the fuzzing ends."""
    import atheris

    with atheris.instrument_imports(include=OURS):
        # Modules that were imported before have no counters of coverage. They are imported again.
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        from tests.fuzz_targets import FOLDER, TARGETS

        run = TARGETS[target].run
        run(TARGETS[target].seeds[0])  # some targets import the tested module when they first run
    for number, seed in enumerate(TARGETS[target].seeds):
        Path(arguments[-1], f"seed-{number}").write_bytes(seed)

    def once(content: bytes) -> None:
        try:
            run(content)
        except BaseException as error:  # the panic of a library is not an Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{type(error).__name__}-{Path(where.filename).stem}-{where.lineno}"
            if not (findings / name).exists():
                (findings / name).write_bytes(content)
                (findings / f"{name}.txt").write_text(traceback.format_exc().replace(str(FOLDER), "FOLDER"))

    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.fuzz", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="targets or families of tests/fuzz_targets.py (default: all targets)",
    )
    parser.add_argument("--minutes", type=float, default=10, metavar="X", help="for each target or family [10]")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=Path(tempfile.gettempdir()) / "fuzz",
        metavar="DIR",
        help="where inputs of new coverage are kept, and findings [fuzz in the temporary folder]",
    )
    return parser


if __name__ == "__main__":
    if TARGET in os.environ:
        _child(os.environ[TARGET], Path(os.environ[FINDINGS]), sys.argv[1:])
    else:
        sys.exit(main())
