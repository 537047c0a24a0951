"""What a cell of a chapter reads, and what it sets."""

import ast
import re
import symtable


def tree(source: str) -> ast.Module:
    """The syntax tree of a cell; IPython's % and ! lines count as nothing."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))


def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads before it sets them itself, and those that it sets.

    What a function reads counts where it is defined.

    >>> read, own = names("x = a\\nfor i in x:\\n    y += i\\nf = lambda u: u + k")
    >>> sorted(read), sorted(own)
    (['a', 'k', 'y'], ['f', 'i', 'x', 'y'])
    >>> read, own = names("x = [u for u in a]\\ny = {u: v for u, v in b}\\nz = {u for u in c}")
    >>> sorted(read), sorted(own)
    (['a', 'b', 'c'], ['x', 'y', 'z'])
    """
    read: set[str] = set()
    own: set[str] = set()
    _follow(tree(source).body, read, own)
    return read, own


def _follow(statements: list[ast.stmt], read: set[str], own: set[str]) -> None:
    """Go through statements in their order, and into loops and branches."""
    for statement in statements:
        bodies = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) or not any(bodies):
            used, made = _symbols(statement)
            if isinstance(statement, ast.AugAssign):
                used |= made
            read |= used - own
            own |= made
            continue
        handlers = getattr(statement, "handlers", [])
        bodies += [handler.body for handler in handlers]
        own |= {handler.name for handler in handlers if handler.name}
        heads = [getattr(statement, part, None) for part in ("iter", "test")]
        heads += [item.context_expr for item in getattr(statement, "items", [])]
        targets = [getattr(statement, "target", None)]
        targets += [item.optional_vars for item in getattr(statement, "items", [])]
        for head in filter(None, heads):
            read |= _symbols(head)[0] - own
        for target in filter(None, targets):
            own |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        for body in bodies:
            _follow(body, read, own)


class _Generators(ast.NodeTransformer):
    """Makes comprehensions generators, which have a scope: others have none from Python 3.12 on."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def _symbols(node: ast.AST) -> tuple[set[str], set[str]]:
    """The global names that one statement or expression uses, and those that it sets."""
    source = ast.unparse(_Generators().visit(node))
    used: set[str] = set()
    made: set[str] = set()
    tables = [symtable.symtable(source, "cell", "exec")]
    for table in tables:
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if top or symbol.is_global():
                if symbol.is_referenced():
                    used.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported():
                    made.add(symbol.get_name())
        tables += table.get_children()
    return used, made
