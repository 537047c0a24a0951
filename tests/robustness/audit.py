"""Look up what is known against the pinned packages, and list them for others: `make audit`.

Writes _build/sbom.json, a list of all packages in CycloneDX's format.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import tables

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "_build"
FILES = ("requirements.txt", "src/grading/requirements.txt", "tests/requirements.txt")
TOOL = ["uv", "--quiet", "tool", "run", "--from"]
AUDIT = [*TOOL, "pip-audit==2.10.1", "pip-audit", "--disable-pip", "--require-hashes"]
SBOM = [*TOOL, "cyclonedx-bom==7.5.0", "cyclonedx-py", "environment", "--output-reproducible"]
HEADER = """\
| file | packages | looked up | known vulnerabilities |
|---|---|---|---|
"""


def audit(path: str) -> list[dict]:
    """What the Python Packaging Advisory Database says of each package in a requirements file."""
    ran = subprocess.run(
        [*AUDIT, "--format", "json", "--progress-spinner", "off", "--requirement", path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if not ran.stdout:
        sys.exit(f"pip-audit told nothing about {path}")
    return json.loads(ran.stdout)["dependencies"]


def main() -> None:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    BUILD.mkdir(exist_ok=True)
    options = ["--pyproject", "pyproject.toml", "--output-file", BUILD / "sbom.json"]
    subprocess.run([*SBOM, *options, sys.executable], cwd=ROOT, env=env, check=True)
    rows, found, skipped = [], set(), set()
    for path in FILES:
        packages = audit(path)
        known = [package for package in packages if "vulns" in package]
        skipped.update(each["skip_reason"] for each in packages if "vulns" not in each)
        bad = {f"{each['name']} {v['id']}" for each in known for v in each["vulns"]}
        found |= bad
        rows.append(f"| {path} | {len(packages)} | {len(known)} | {len(bad)} |")
    tables.write("audit", HEADER + "\n".join([*rows, "", *sorted(found)]))
    print(*sorted(found), sep="\n")
    if skipped:
        print(f"{len(skipped)} packages could not be looked up. The first: {min(skipped)}")
    sys.exit(bool(found or skipped))


if __name__ == "__main__":
    main()
