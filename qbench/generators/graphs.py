"""Graphs that are walked by hand, and groups that grow together."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import sample, shuffled


def graph(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An undirected connected graph with weights, walked from node 1 by breadth, by depth and by distance.

    Difficulty adds nodes and edges. Neighbors are visited in increasing order, so every walk is unique; a graph whose two walks
    agree is drawn again.
    """
    n_nodes = (5, 6, 7, 8, 10)[difficulty - 1]
    n_extra = (0, 1, 2, 4, 6)[difficulty - 1]
    largest = (5, 9, 9, 20, 50)[difficulty - 1]
    while True:
        labels = [1, *shuffled(rng, range(2, n_nodes + 1))]
        pairs = {_edge(labels[node], labels[int(rng.integers(node))]) for node in range(1, n_nodes)}
        every = list(itertools.combinations(range(1, n_nodes + 1), 2))
        others = [pair for pair in every if pair not in pairs]
        pairs |= set(sample(rng, others, n_extra))
        edges = [{"from": one, "to": other, "length": 1 + int(rng.integers(largest))} for one, other in sorted(pairs)]
        breadth, depth = breadth_first(edges), depth_first(edges)
        if breadth != depth:
            break
    distance, settled = shortest_distances(edges)
    return {
        "edges": edges,
        "n_nodes": n_nodes,
        "breadth": breadth,
        "depth": depth,
        "distances": [distance[node] for node in range(2, n_nodes + 1)],
        "settled": settled,
    }


def _edge(one: int, other: int) -> tuple[int, int]:
    return (min(one, other), max(one, other))


def _neighbors(edges: Sequence[Mapping[str, int]], node: int) -> list[int]:
    return sorted(
        edge["to"] if edge["from"] == node else edge["from"] for edge in edges if node in (edge["from"], edge["to"])
    )


def breadth_first(edges: Sequence[Mapping[str, int]]) -> list[int]:
    """The nodes in the order in which a breadth-first search from node 1 visits them."""
    order = [1]
    for node in order:  # grows while it is read: a queue that forgets nothing
        order += [neighbor for neighbor in _neighbors(edges, node) if neighbor not in order]
    return order


def depth_first(edges: Sequence[Mapping[str, int]]) -> list[int]:
    """The nodes in the order in which a recursive depth-first search from node 1 visits them."""
    order: list[int] = []

    def visit(node: int) -> None:
        order.append(node)
        for neighbor in _neighbors(edges, node):
            if neighbor not in order:
                visit(neighbor)

    visit(1)
    return order


def shortest_distances(edges: Sequence[Mapping[str, int]]) -> tuple[dict[int, int], list[str]]:
    """Dijkstra's distances from node 1, and a line for every node in the order in which its distance becomes final."""
    best, final = {1: 0}, {}
    lines: list[str] = []
    while best:
        node = min(best, key=lambda node: (best[node], node))
        final[node] = best.pop(node)
        lines.append(f"{node}: {final[node]}")
        for edge in edges:
            if node in (edge["from"], edge["to"]):
                other = edge["to"] if edge["from"] == node else edge["from"]
                if other not in final:
                    best[other] = min(best.get(other, final[node] + edge["length"]), final[node] + edge["length"])
    return final, lines


def joined_groups(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Numbers joined pair by pair into groups (union-find), and the group of one of them. Difficulty adds numbers and pairs."""
    n_numbers = (5, 7, 10, 14, 20)[difficulty - 1]
    n_pairs = (2, 4, 6, 9, 14)[difficulty - 1]
    least = (2, 3, 4, 4, 5)[difficulty - 1]
    while True:
        pairs = [sample(rng, range(1, n_numbers + 1), 2) for _ in range(n_pairs)]
        group = {number: {number} for number in range(1, n_numbers + 1)}
        for one, other in pairs:
            if other not in group[one]:
                joined = group[one] | group[other]
                group |= dict.fromkeys(joined, joined)
        asked = 1 + int(rng.integers(n_numbers))
        if least <= len(group[asked]) <= n_numbers - 2:
            return {
                "n_numbers": n_numbers,
                "pairs": pairs,
                "asked": asked,
                "group": sorted(group[asked]),
            }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "graph": graph,
    "joined_groups": joined_groups,
}
