"""What a page shows of its notebook: no cells that only test, and marks that lead to the ledger.

* A code cell tagged ``check`` glues a number or asserts something: it is no part of the page.
* The role ``{claim}`A5``` says that the text before it judges claim A5. It is a small link to the
  claim's row in the ledger, with the verdict that stands there, and the row leads back to it.
* What folds a cell says in plain words what it shows.
* A section whose title starts with "Go deeper" is optional, and a folded part whose title starts
  with "You were right if" is an answer: both get a class, for the style sheet.
* A folded proof gets a title to open it by.
"""

import ast
import json
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

LEDGER = Path("book", "claims.ipynb")
SAYS = {"holds": "true", "holds if": "true if", "fails": "false"}
PROMPTS = {
    "input": ("Show the code", "Hide the code"),
    "output": ("Show the output", "Hide the output"),
    "all": ("Show the code and its output", "Hide the code and its output"),
}
DEEPER, ANSWER = "Go deeper", "You were right if"


@cache
def verdicts(ledger: Path) -> dict[str, str]:
    """The kind of verdict on each claim, as the ledger's saved outputs have it."""
    cells = json.loads(ledger.read_text(encoding="utf-8"))["cells"]
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        if output.get("metadata", {}).get("scrapbook", {}).get("name") == "claims-kinds":
            text = output["data"]["application/papermill.record/text/plain"]
            return ast.literal_eval("".join(text))
    raise LookupError(f"{ledger} does not glue claims-kinds: run `make outputs`")


class ClaimRole(SphinxRole):
    """Mark the place that judges a claim, and link to the claim's row in the ledger."""

    def run(self):
        claim = self.text
        kinds = verdicts(Path(self.env.srcdir, LEDGER))
        if claim not in kinds:
            message = f"there is no claim {claim!r}: it must be one of {', '.join(kinds)}"
            error = self.inliner.reporter.error(message, line=self.lineno)
            return [], [error]
        place = nodes.inline(classes=["claim-mark"], names=[f"claim-{claim.lower()}"])
        self.inliner.document.note_explicit_target(place)
        link = pending_xref(
            refdomain="std",
            reftype="ref",
            reftarget=f"ledger-{claim.lower()}",
            refdoc=self.env.docname,
            refexplicit=True,
            refwarn=True,
        )
        link += nodes.inline(text=f"{claim}: {SAYS[kinds[claim]]}")
        place += link
        return [place], []


def shape(app: Sphinx, document: nodes.document) -> None:
    """Take the check cells out, and give optional parts and answers their class."""
    for cell in [*document.findall(nodes.container)]:
        if "tag_check" in cell["classes"]:
            cell.parent.remove(cell)
        elif prompts := PROMPTS.get(cell.get("hide_mode")):
            cell["prompt_show"], cell["prompt_hide"] = prompts
    for section in document.findall(nodes.section):
        if section[0].astext().startswith(DEEPER):
            section["classes"].append("deeper")
    for part in document.findall(nodes.container):
        if part.get("design_component") == "dropdown" and part[0].astext().startswith(ANSWER):
            part["container_classes"].append("answer")
    for proof in document.findall(nodes.admonition):
        if {"proof", "dropdown"} <= {*proof["classes"]}:
            entitle(proof)


def entitle(proof: nodes.admonition) -> None:
    """Give a folded proof a title, which the script that folds it needs, and no id.

    All proofs of a page have the same id, and the script would fold the first one only.
    """
    proof["ids"] = []
    start = proof.next_node(nodes.Text)
    start.parent.replace(start, nodes.Text(start.removeprefix("Proof. ")))
    proof.insert(0, nodes.title("", "Proof"))


def setup(app: Sphinx) -> dict:
    app.add_role("claim", ClaimRole())
    app.connect("doctree-read", shape)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
