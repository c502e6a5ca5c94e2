"""Says what an author probably meant where the parser met a token that cannot stand there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flowrules.errors import Diagnostic
from flowrules.syntax import expression_mistakes, foreign, statement_mistakes
from flowrules.syntax.scene import Scene

# The first that knows an answer gives it: what spoils everything after it, habits from elsewhere, then the plain ones.
_EXPLANATIONS: Final[tuple[Callable[[Scene], Diagnostic | None], ...]] = (
    statement_mistakes.unclosed_triple,
    foreign.later_statement,
    foreign.snakemake_statement,
    foreign.python_statement,
    foreign.python_import,
    foreign.assignment,
    foreign.lambda_,
    statement_mistakes.unclosed_before_head,
    statement_mistakes.deeper_head,
    statement_mistakes.rule_header,
    statement_mistakes.branch_header,
    statement_mistakes.directive_head,
    statement_mistakes.unknown_statement,
    statement_mistakes.empty_value,
    foreign.python_operator,
    expression_mistakes.string_prefix,
    expression_mistakes.half_conditional,
    expression_mistakes.bare_comprehension,
    expression_mistakes.no_set,
    expression_mistakes.several_indexes,
    expression_mistakes.reserved_name,
    statement_mistakes.statement_shape,
    expression_mistakes.missing_sign,
    expression_mistakes.missing_comma,
    expression_mistakes.bad_equals,
    expression_mistakes.missing_operand,
)


def explain(scene: Scene) -> Diagnostic:
    """The diagnostic for a token that the grammar does not allow."""
    for explanation in _EXPLANATIONS:
        found = explanation(scene)
        if found is not None:
            return found
    return expression_mistakes.anything(scene)
