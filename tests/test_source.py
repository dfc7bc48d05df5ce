"""What the source promises of itself, and no linter checks."""

from __future__ import annotations

import ast
from pathlib import Path

import linda_cli

ROOT = Path(linda_cli.__file__).parent


def _lets_pass(node: ast.AST) -> bool:
    """Whether an error is let pass here: a suppress, or an except whose body is only ``pass``."""
    if isinstance(node, ast.withitem):
        called = node.context_expr
        return isinstance(called, ast.Call) and ast.unparse(called.func).endswith("suppress")
    return isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body)


def test_every_error_that_is_let_pass_has_its_reason_beside_it() -> None:
    silent = []
    seen = 0
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text()
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if not _lets_pass(node):
                continue
            seen += 1
            at = node.context_expr.lineno if isinstance(node, ast.withitem) else node.lineno  # type: ignore[attr-defined]
            if not any("#" in line for line in lines[max(0, at - 4) : at + 3]):
                silent.append(f"{path.relative_to(ROOT)}:{at}")
    assert silent == []
    assert seen > 40, "the walk finds what it is to judge"
