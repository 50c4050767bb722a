"""The steps of the layered layout, each against a slow and plain reference."""

from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest
from scipy.optimize import linprog

from symgraph_tools.layered.alignment import align
from symgraph_tools.layered.crossings import Effort, count_crossings, sift, transpose
from symgraph_tools.layered.grid import Arrow, Grid, Role, build_grid
from symgraph_tools.layered.ordering import order_layers
from symgraph_tools.layered.ranks import Link, assign_ranks
from symgraph_tools.layered.separation import separate
from symgraph_tools.layered.spacing import distance
from symgraph_tools.layered.tightening import tighten


def random_links(seed: int, count: int) -> list[Link]:
    """Links between numbered nodes, each from a smaller number to a larger."""
    random = Random(seed).random
    return [
        Link(int(random() * node), node, 1 + int(random() * 3), 1 + (random() < 0.3))
        for node in range(1, count)
        for _ in range(int(random() * 4))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_ranks_have_the_least_total_length(seed):
    """Against the linear program, whose constraint matrix is totally unimodular."""
    count = (5, 12, 30, 60)[seed % 4]
    links = random_links(seed, count)
    ranks = assign_ranks(range(count), links)
    assert all(ranks[link.target] - ranks[link.source] >= link.least for link in links)
    cost = np.zeros(count)
    rows = np.zeros((len(links), count))
    for row, link in zip(rows, links, strict=True):
        cost[link.target] += link.weight
        cost[link.source] -= link.weight
        row[link.source], row[link.target] = 1, -1
    least = [-link.least for link in links]
    found = linprog(cost, A_ub=rows, b_ub=least, bounds=(0, None))
    assert sum(link.weight * (ranks[link.target] - ranks[link.source]) for link in links) == round(
        found.fun
    )


def test_each_part_begins_at_rank_0():
    links = [Link(0, 1, 1, 1), Link(1, 2, 1, 1), Link(3, 4, 1, 1)]
    ranks = assign_ranks(range(6), links)
    assert ranks == [0, 1, 2, 0, 1, 0]


def random_grid(seed: int, layers: int, width: int) -> Grid:
    """Layers of equally many nodes, and segments between neighbouring layers."""
    random = Random(seed).random
    ranks = [layer for layer in range(layers) for _ in range(width)]
    arrows = [
        Arrow(layer * width + int(random() * width), node, (slot + 1) / 3 - 0.5, 0.0)
        for layer in range(layers - 1)
        for node in range((layer + 1) * width, (layer + 2) * width)
        for slot in range(2)
    ]
    count = layers * width
    return build_grid(ranks, [50.0] * count, [-1] * count, [], arrows, [40.0] * count, 1000)


def positions(grid: Grid) -> list[int]:
    """The position of each place in its layer."""
    found = [0] * len(grid.rank)
    for layer in grid.layers:
        for index, place in enumerate(layer):
            found[place] = index
    return found


def plain_count(grid: Grid) -> int:
    """Crossings, by looking at all pairs of segments."""
    position = positions(grid)
    total = 0
    for layer in grid.layers:
        ends = [
            (position[place], position[below] + port)
            for place in layer
            for below, port in zip(grid.downs[place], grid.ports[place], strict=True)
        ]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    return total


@pytest.mark.parametrize("seed", range(6))
def test_crossings_are_counted_as_by_looking_at_all_pairs(seed):
    grid = random_grid(seed, 5, 8)
    assert count_crossings(grid, positions(grid)) == plain_count(grid) > 0


@pytest.mark.parametrize("seed", range(6))
def test_exchanges_and_sifting_only_lessen_crossings(seed):
    grid = random_grid(seed, 6, 9)
    position = positions(grid)
    before = plain_count(grid)
    transpose(grid, position, False, Effort(10**6))
    exchanged = plain_count(grid)
    assert exchanged < before
    sift(grid, position, Effort(10**6))
    assert plain_count(grid) <= exchanged
    assert position == positions(grid)
    assert order_layers(grid) == plain_count(grid) <= exchanged


def test_a_tree_is_drawn_without_crossings():
    random = Random(3).random
    parents = [int(random() * node) for node in range(1, 80)]
    ranks = [0]
    for parent in parents:
        ranks.append(ranks[parent] + 1)
    arrows = [Arrow(parent, node, 0.0, 0.0) for node, parent in enumerate(parents, 1)]
    grid = build_grid(ranks, [50.0] * 80, [-1] * 80, [], arrows, [40.0] * 80, 0)
    assert order_layers(grid) == 0


def test_alignment_and_separation_keep_neighbours_apart():
    grid = random_grid(1, 8, 7)
    order_layers(grid)
    aligned = align(grid)
    separated = separate(grid, aligned, [], 0.0)
    exact = separated.places(separated.at)
    for xs in (aligned, exact):
        for layer in grid.layers:
            for left, right in pairwise(layer):
                assert xs[right] - xs[left] >= distance(grid, left, right) - 1e-9
    # What is feasible already stays where it is.
    assert exact == pytest.approx(aligned)


def length(grid: Grid, xs: list[float]) -> float:
    """Of all lines along the layers, as the simplex counts it."""
    return sum(
        abs(xs[upper] - xs[lower] - port * grid.width[lower])
        for upper, lowers in enumerate(grid.downs)
        for lower, port in zip(lowers, grid.ports[upper], strict=True)
    )


@pytest.mark.parametrize("seed", range(6))
def test_positions_pulled_together_keep_their_distances_and_make_least_length(seed):
    """Against the linear program, to the half pixel that positions are rounded to."""
    grid = random_grid(seed, 7, 6)
    order_layers(grid)
    separated = separate(grid, align(grid), [], 0.0)
    xs = separated.places(tighten(grid, separated))
    pairs = [pair for layer in grid.layers for pair in pairwise(layer)]
    for left, right in pairs:
        assert xs[right] - xs[left] >= distance(grid, left, right) - 1e-9
    lines = [
        (upper, lower, port * grid.width[lower])
        for upper, lowers in enumerate(grid.downs)
        for lower, port in zip(lowers, grid.ports[upper], strict=True)
    ]
    count, rows, bounds = len(xs), [], []
    for number, (upper, lower, offset) in enumerate(lines):  # its length, and its two signs
        for sign in (1, -1):
            row = np.zeros(count + len(lines))
            row[upper] += sign
            row[lower] -= sign
            row[count + number] = -1
            rows.append(row)
            bounds.append(sign * offset)
    for left, right in pairs:
        row = np.zeros(count + len(lines))
        row[left], row[right] = 1, -1
        rows.append(row)
        bounds.append(-distance(grid, left, right))
    cost = [0.0] * count + [1.0] * len(lines)
    least = linprog(cost, A_ub=np.array(rows), b_ub=bounds, bounds=(None, None)).fun
    assert least - 1e-6 <= length(grid, xs) <= least + 0.5 * (len(lines) + count)
    assert length(grid, xs) <= length(grid, separated.places(separated.at)) + 0.5 * len(lines)


def test_a_long_edge_is_straight_between_its_bends():
    ranks = [*range(12), 0]
    arrows = [Arrow(n, n + 1, 0.0, 0.0) for n in range(11)] + [Arrow(12, 11, 0.25, 0.0)]
    grid = build_grid(ranks, [50.0] * 13, [-1] * 13, [], arrows, [40.0] * 13, 100)
    order_layers(grid)
    xs = align(grid)
    bends = [place for place in grid.chains[-1].places if grid.role[place] is Role.BEND]
    assert len(bends) == 10
    assert len({xs[place] for place in bends}) == 1


def test_longest_edges_are_cut_when_there_are_too_many_bends():
    ranks = list(range(10))
    arrows = [Arrow(0, 9, 0.0, 0.0), Arrow(0, 5, 0.0, 0.0), Arrow(0, 2, 0.0, 0.0)]
    grid = build_grid(ranks, [50.0] * 10, [-1] * 10, [], arrows, [40.0] * 10, 3)
    assert [bool(chain.rest) for chain in grid.chains] == [True, True, False]
    roles = [[grid.role[p] for p in (*c.places, *c.rest)] for c in grid.chains]
    assert roles[0] == [Role.NODE, Role.TAG, Role.TAG, Role.NODE]
    assert grid.chains[0].places == grid.chains[1].places  # one tag below a source
