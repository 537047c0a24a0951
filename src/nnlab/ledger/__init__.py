"""Judge every claim of the five articles that this course began with.

Each claim is one short function, named by its id. Its docstring says what the article claims; it
returns the verdict and the measured number behind it. The page and the tests call the same ones.
"""

import re
from dataclasses import dataclass

from nnlab.ledger import (
    logistic_regression,
    mnist,
    symmetry,
    vanishing_exploding,
    xavier_he,
)

SOURCES = {
    "A": "why network weights must not start at zero",
    "B": "a question-and-answer thread: why should weights start as random numbers?",
    "C": "initialising weight matrices",
    "D": "a lecture on random initialisation",
    "E": "vanishing and exploding gradients, Xavier, He, and the MNIST experiment",
}
CHAPTERS = {
    "01_logistic_regression": logistic_regression,
    "02_symmetry": symmetry,
    "03_vanishing_exploding": vanishing_exploding,
    "04_xavier_he": xavier_he,
    "05_mnist": mnist,
}
KINDS = ("holds", "holds if", "fails")


@dataclass(frozen=True)
class Claim:
    """A claim, judged.

    Attributes
    ----------
    id : str
        The letter of its source, and a number.
    says : str
        What the source says, in our words.
    chapter : str
        Where the book shows it: the name of the notebook.
    verdict : str
        "holds", "holds if …" or "fails: …".
    measured : str
        The number behind the verdict.
    """

    id: str
    says: str
    chapter: str
    verdict: str
    measured: str

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        match = re.fullmatch(r"(holds)|(holds if) .+|(fails): .+", self.verdict)
        if not match:
            raise ValueError(f"{self.id}: no such verdict: {self.verdict!r}")
        return match[match.lastindex]


CHECKS = {
    name: (chapter, check)
    for chapter, module in CHAPTERS.items()
    for name, check in vars(module).items()
    if re.fullmatch(r"[A-E]\d+", name)
}
CHECKS = dict(sorted(CHECKS.items(), key=lambda item: (item[0][0], int(item[0][1:]))))


def judge(claim: str) -> Claim:
    """Run the check of a claim.

    Parameters
    ----------
    claim : str
        Its id, such as ``"A6"``.

    Raises
    ------
    ValueError
        If there is no such claim.
    """
    if claim not in CHECKS:
        raise ValueError(f"claim must be one of {', '.join(CHECKS)}; got {claim!r}")
    chapter, check = CHECKS[claim]
    verdict, measured = check()
    return Claim(claim, check.__doc__, chapter, verdict, measured)
