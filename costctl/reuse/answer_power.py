"""Whether answers tell apart what near prompts ask for: measured on pairs that the guard separates.

Two near prompts that differ in a number, a time, a name or a "not" mostly need different answers. Where the answers
that the log has for them read alike all the same, alike answers are no sign of a right hit: an answer that says again
what was asked, or that is made from a template, is alike for any near prompt. Unlike prompts do not show this, because
their answers differ in everything.
"""

from __future__ import annotations

import numpy as np

from costctl.reuse.false_hits import CONFIDENCE, HITS_MIN, PAIRS_MAX, AnswerTest, alike
from costctl.reuse.intervals import clustered
from costctl.reuse.neighbours import Graph, neighbours
from costctl.reuse.vectors import Int, Vectors

APART_PPB = 850_000_000  # prompts so near are what a cache compares
NODES_MAX = 8_192  # so many are compared; more would say the same


def apart_pairs(vectors: Vectors, guard: Int, answer: Int, node: Int, text: Int, scope: Int) -> tuple[Int, Int]:
    """Requests with answers whose prompts are near and separated by the guard, one for each prompt.

    `answer` and `node` go by request (-1: none), `text` and `scope` by node, `vectors` and `guard` by text.
    """
    known = np.flatnonzero((answer >= 0) & (node >= 0))
    nodes, first = np.unique(node[known], return_index=True)
    kept = np.arange(0, len(nodes), max(1, -(-len(nodes) // NODES_MAX)))
    nodes, first = nodes[kept], known[first[kept]]
    if len(nodes) < 2:
        return first[:0], first[:0]
    graph = neighbours(vectors, APART_PPB, text=text[nodes], scope=scope[nodes])
    one, other = separated(graph, guard[text[nodes]])
    return first[one], first[other]


def separated(graph: Graph, codes: Int) -> tuple[Int, Int]:
    """Near nodes of unequal guard codes, each pair once.

    >>> graph = Graph(np.array([0, 2, 3, 4]), np.array([1, 2, 0, 0], dtype=np.int32), np.full(4, APART_PPB, np.int32))
    >>> [nodes.tolist() for nodes in separated(graph, np.array([7, 7, 8]))]
    [[0], [2]]
    """
    one = np.repeat(np.arange(len(codes)), np.diff(graph.offsets))
    other = graph.neighbour.astype(np.int64)
    is_apart = (one < other) & (codes[one] != codes[other]) & (graph.similarity_ppb >= APART_PPB)
    one, other = one[is_apart], other[is_apart]
    step = max(1, -(-len(one) // PAIRS_MAX))
    return one[::step], other[::step]


def with_power(test: AnswerTest, answers: Vectors, answer: Int, node: Int, pairs: tuple[Int, Int]) -> AnswerTest:
    """The test with how often it takes the answers to such pairs for alike; as it was with too few pairs."""
    one, other = pairs
    if len(one) < HITS_MIN:
        return test
    is_alike = alike(answers, answer, test, one, other)
    return test._replace(alike_of_apart=clustered(is_alike, node[one], CONFIDENCE))
