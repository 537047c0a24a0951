"""Judge every claim of the five articles that this course began with.

Each claim is one short function, named by its id. Its docstring says what the article claims; it
returns the verdict and what was measured, in words. Where a chapter shows the same measurement, it
also returns its numbers, by the names under which the chapter glues them: one measurement, one
number. The page and the tests call the same functions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nnlab.ledger import (
    logistic_regression,
    mnist,
    symmetry,
    vanishing_exploding,
    xavier_he,
)


@dataclass(frozen=True)
class Source:
    """An article that claims come from.

    Attributes
    ----------
    title : str
        In English.
    original : str
        As it was published, where that was not in English.
    by, site : str
        Who wrote it, and where it was published.
    link : str
        Its address, or empty if that is not known.
    key : str
        Its entry in the book's bibliography.
    """

    title: str
    original: str
    by: str
    site: str
    link: str
    key: str


SOURCES = {
    "A": Source(
        title="Why the weights of a neural network must not be initialised to 0",
        original="神经网络权重为什么不能初始化为0",
        by="unknown",
        site="unknown, in Chinese",
        link="",
        key="zeroweights",
    ),
    "B": Source(
        title="Why should weights of neural networks be initialized to random numbers?",
        original="",
        by="a question and nine answers",
        site="Stack Overflow; read in a Chinese translation",
        link="https://stackoverflow.com/questions/20027598/why-should-weights-of-neural-networks-be-initialized-to-random-numbers",
        key="stackoverflow2013random",
    ),
    "C": Source(
        title="Basics of deep learning (4): initialising weight matrices",
        original="DL基本知识(四)权重矩阵初始化",
        by="unknown",
        site="CSDN, in Chinese",
        link="",
        key="csdnbasics",
    ),
    "D": Source(
        title="Random Initialization",
        original="",
        by="Andrew Ng",
        site="Coursera, in the course Neural Networks and Deep Learning; read as Chinese subtitles",
        link="https://www.coursera.org/learn/neural-networks-deep-learning",
        key="ng2017random",
    ),
    "E": Source(
        title="Reading notes on initialising neural networks",
        original="",
        by="Fu Ying (付莹), advised by Zhu Wenbin, South China University of Technology",
        site="unknown, in Chinese",
        link="",
        key="funotes",
    ),
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
    numbers : Mapping[str, float]
        The numbers that its chapter shows, too, by the names under which it glues them. A share is
        a fraction, also where the chapter shows it as a percentage.
    """

    id: str
    says: str
    chapter: str
    verdict: str
    measured: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        match = re.fullmatch(r"(holds)|(holds if) .+|(fails): .+", self.verdict)
        if not match:
            raise ValueError(f"{self.id}: no such verdict: {self.verdict!r}")
        return match[match.lastindex or 0]


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
    return Claim(claim, check.__doc__, chapter, *check())
