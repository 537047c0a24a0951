"""``python -m grading assignments`` and ``python -m grading grade``: what make's targets run."""

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    from grading import batch, release, sandbox

    logging.getLogger("traitlets").setLevel(logging.ERROR)  # nbgrader's every step
    warnings.filterwarnings("ignore", module="nbgrader")  # of its own queries
    sources = release.REPOSITORY / "book" / "assignments"
    parser = argparse.ArgumentParser(prog="grading", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    releasing = commands.add_parser("assignments", help="write the students' versions and zips")
    grading = commands.add_parser("grade", help="grade a folder of submissions")
    for command in (releasing, grading):
        command.add_argument("--course", type=Path, default=Path("course"), help="its folder")
    releasing.add_argument("--sources", type=Path, default=sources)
    grading.add_argument(
        "submissions", type=Path, nargs="?",
        help="without it, grades.csv and the feedback are written again from the gradebook",
    )  # fmt: skip
    grading.add_argument("--cell-seconds", type=float, default=sandbox.Limits.cell_seconds)
    grading.add_argument("--seconds", type=float, default=sandbox.Limits.seconds)
    grading.add_argument("--jobs", type=int)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "assignments":
            with tempfile.TemporaryDirectory() as folder:
                engine = [release.wheel(Path(folder))]
                first = release.first_cell(chosen.sources)
                for path in release.release(chosen.sources, chosen.course, engine, first):
                    print(path)
        elif chosen.submissions is None:
            print(batch.summary(batch.refresh(chosen.course)))
        else:
            private = [chosen.course / name for name in ("gradebook.db", "source", "autograded")]
            walls = sandbox.strongest([*private, chosen.submissions, sources])
            print(walls, flush=True)
            limits = sandbox.Limits(cell_seconds=chosen.cell_seconds, seconds=chosen.seconds)
            rows = batch.grade(
                chosen.submissions, chosen.course, limits, walls=walls.kind, jobs=chosen.jobs
            )
            print(batch.summary(rows), f"See {chosen.course / 'grades.csv'}", sep="\n")
    except (release.ReleaseError, sandbox.SandboxError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
