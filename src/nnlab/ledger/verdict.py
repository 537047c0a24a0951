"""What the check of a claim returns."""

from collections.abc import Mapping

#: The verdict and what was measured, in words; and the numbers that a chapter glues, by name.
Verdict = tuple[str, str] | tuple[str, str, Mapping[str, float]]
