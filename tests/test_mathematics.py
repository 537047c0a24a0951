"""Formulas become MathML, and one that cannot be read stops the build."""

import mathematics
import pytest
from docutils import nodes

INLINE, BLOCK = nodes.math("", ""), nodes.math_block("", "")


@pytest.mark.parametrize(
    ("tex", "rows", "cells"),
    [
        ("a = b", 0, 0),
        (r"a &= b, \\ c &= d.", 2, 4),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", 2, 4),
        (r"\begin{gathered} a \\ b \\ c \end{gathered}", 3, 3),
        (r"f = \begin{cases} 0 & x < 0 \\ x & x \ge 0 \end{cases}", 3, 5),  # within one of aligned
    ],
)
def test_lines_of_a_formula_are_rows(tex, rows, cells):
    found = mathematics.mathml(tex, BLOCK)
    assert (found.count("<mtr>"), found.count("<mtd")) == (rows, cells)


def test_a_formula_knows_whether_it_stands_in_a_line():
    assert 'display="block"' in mathematics.mathml(r"\sum_i x_i", BLOCK)
    assert 'display="block"' not in mathematics.mathml(r"\sum_i x_i", INLINE)


def test_a_formula_keeps_its_source_for_those_who_copy_it():
    found = mathematics.mathml(r"x < \sigma(z)", INLINE)
    assert r'<annotation encoding="application/x-tex">x &lt; \sigma(z)</annotation>' in found


def test_a_formula_that_cannot_be_read_is_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(mathematics.logger, "warning", lambda text, *args, **_: said.append(args))
    assert mathematics.mathml(r"1 < \nosuch", INLINE) == r"1 &lt; \nosuch"
    ((error, tex),) = said
    assert tex == r"1 < \nosuch" and "nosuch" in str(error)
