"""Items in templates in strata in categories: who belongs where, what weighs how much, and how far sums of them scatter."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Design:
    """To which template, stratum and category each item belongs.

    Templates weigh equally within their stratum, strata within their category, categories within the whole.
    """

    codes: Indices
    """One row per item: category, stratum and template as numbers."""
    of_item: Indices
    """The template of each item. Templates are numbered stratum by stratum, so that those of a stratum are neighbours."""
    of_template: Indices
    """The stratum of each template."""
    weight: Array
    """Per stratum; sums to 1."""
    draw: Indices
    """The draw that each item came of, as a number: twins of one family share theirs."""

    @staticmethod
    def of(
        template: ArrayLike, stratum: ArrayLike, category: ArrayLike | None = None, draw: ArrayLike | None = None
    ) -> "Design":
        """Read the design off the names that each item carries. A template's name need be unique only within its stratum; without a draw
        each item is one of its own."""
        names = [np.asarray(stratum), np.asarray(template)]
        n_items = len(names[0])
        names.insert(0, np.zeros(n_items, dtype=int) if category is None else np.asarray(category))
        codes = np.column_stack([np.unique(values, return_inverse=True)[1] for values in names])
        return _numbered(codes, np.arange(n_items) if draw is None else np.unique(draw, return_inverse=True)[1])

    @property
    def first(self) -> Indices:
        """Position of each stratum's first template."""
        return np.searchsorted(self.of_template, np.arange(len(self.weight)))

    @property
    def sizes(self) -> Indices:
        """Number of templates in each stratum."""
        return np.bincount(self.of_template)

    @property
    def template_weight(self) -> Array:
        """Per template; sums to 1."""
        return np.asarray((self.weight / self.sizes)[self.of_template])

    def only(self, items: NDArray[np.bool_]) -> "Design":
        """The design of some of the items; what lost all of its items weighs nothing."""
        return self if items.all() else _numbered(self.codes[items], self.draw[items])

    def draws(self) -> tuple[Indices, Indices]:
        """The draw of each item, numbered from 0 without gaps, and the template of each draw."""
        pair = self.of_item * (self.draw.max() + 1) + self.draw
        found, of_item = np.unique(pair, return_inverse=True)
        return of_item.reshape(-1), found // (self.draw.max() + 1)


def _numbered(codes: Indices, draw: Indices) -> Design:
    templates, of_item = np.unique(codes, axis=0, return_inverse=True)
    strata, of_template = np.unique(templates[:, :2], axis=0, return_inverse=True)
    _, of_stratum, n_strata = np.unique(strata[:, 0], return_inverse=True, return_counts=True)
    return Design(codes, of_item.reshape(-1), of_template.reshape(-1), 1 / (len(n_strata) * n_strata[of_stratum]), draw)


@dataclass(frozen=True)
class Summary:
    """What an interval needs to know of several columns of differences that have items in the same templates."""

    design: Design
    template_means: Array
    """One row per template."""
    value: Array
    cluster_error: Array
    """Standard error if templates are the independent units; NaN if no stratum has two."""
    item_error: Array
    """Standard error if items were."""
    df: int
    """Templates minus strata."""
    n_items: Indices
    n_flips: Indices
    rises: Array
    """Effective number of items that rose by a whole point; see `effective`."""
    falls: Array
    effective: Array
    """Effective number of items: Kish's for the unequal weights of items, divided by the design effect where that is above 1."""
    scale: Array
    """The largest possible change: 1 for scores in [0, 1]; beyond that, the largest one seen."""

    @property
    def informative(self) -> Array:
        """Effective items that differ from what most items do, be that no change or a change by a whole point."""
        changed = self.rises + self.falls
        return np.minimum(changed, self.effective - changed)


def patterns(columns: Array, design: Design) -> Iterator[tuple[Indices, NDArray[np.bool_], Design]]:
    """Yield groups of columns that have items in the same templates, with the items of those templates and their design.

    NaNs count as absent. A column with nothing but NaNs is in no group.
    """
    n_templates = len(design.of_template)
    seen = np.zeros((n_templates, columns.shape[1]), dtype=bool)
    for column in range(columns.shape[1]):
        seen[design.of_item[~np.isnan(columns[:, column])], column] = True
    found, of_column = np.unique(seen, axis=1, return_inverse=True)
    for position, pattern in enumerate(found.T):
        items = pattern[design.of_item]
        if items.any():
            yield np.flatnonzero(of_column.reshape(-1) == position), items, design.only(items)


def summarise(difference: Array, design: Design, largest: float = 1.0) -> Iterator[tuple[Indices, Summary]]:
    """Yield the groups of `patterns` with their summary. ``largest`` is the largest change that a score can make, 0 without a limit."""
    for columns, items, own in patterns(difference, design):
        yield columns, _summary(difference[np.ix_(items, columns)], own, largest)


def weighted_means(columns: Array, design: Design) -> Array:
    """The mean of each column by the weights of the design, NaNs left out; NaN where nothing is left."""
    means = np.full(columns.shape[1], np.nan)
    for group, items, own in patterns(columns, design):
        _, of_templates = means_of_templates(columns[np.ix_(items, group)], own)
        means[group] = own.template_weight @ of_templates
    return means


def means_of_templates(columns: Array, design: Design) -> tuple[Array, Array]:
    """The number of items of each template in each column, and their mean."""
    present = ~np.isnan(columns)
    n = group_sums(present.astype(float), design.of_item)
    return n, group_sums(np.where(present, columns, 0.0), design.of_item) / n


def _summary(difference: Array, design: Design, largest: float) -> Summary:
    """Summarise columns of which each has an item in each template.

    With m_g the mean difference of template g, s of weight w_s its stratum with G_s templates, and n_g its items, the value is
    Σ_s w_s Σ_g m_g / G_s, and

        cluster error² = Σ_s w_s² S_s² / G_s,              S_s² the variance of the m_g in stratum s,
        item error²    = Σ_s w_s² σ_s² Σ_g (1/n_g) / G_s², σ_s² the variance of the items in stratum s.

    A stratum with one template (one item) borrows the variance that the others have on average.
    """
    present = ~np.isnan(difference)
    filled = np.where(present, difference, 0.0)
    n, means = means_of_templates(difference, design)
    sizes = design.sizes[:, np.newaxis]
    weight = design.weight[:, np.newaxis]
    stratum_means = group_sums(means, design.of_template) / sizes
    value = (weight * stratum_means).sum(axis=0)
    between = _variance(group_sums((means - stratum_means[design.of_template]) ** 2, design.of_template), sizes)

    stratum_of_item = design.of_template[design.of_item]
    n_stratum = group_sums(present.astype(float), stratum_of_item)
    centred = np.where(present, difference - (group_sums(filled, stratum_of_item) / n_stratum)[stratum_of_item], 0.0)
    within = _variance(group_sums(centred**2, stratum_of_item), n_stratum)

    cluster_variance = (weight**2 * between / sizes).sum(axis=0)
    item_variance = (weight**2 * within * group_sums(1 / n, design.of_template) / sizes**2).sum(axis=0)

    weight_of_item = (weight / sizes)[design.of_template] / n
    weights = np.where(present, weight_of_item[design.of_item], 0.0)
    ratio = np.divide(cluster_variance, item_variance, out=np.ones_like(value), where=item_variance > 0)
    scale = scales(filled, largest)
    effective = 1 / (weights**2).sum(axis=0) / np.maximum(1.0, ratio)
    return Summary(
        design=design,
        template_means=means,
        value=value,
        cluster_error=np.sqrt(cluster_variance),
        item_error=np.sqrt(item_variance),
        df=len(design.of_template) - len(design.weight),
        n_items=present.sum(axis=0),
        n_flips=(filled != 0).sum(axis=0),
        rises=effective * (weights * np.maximum(filled, 0)).sum(axis=0) / scale,
        falls=effective * (weights * np.maximum(-filled, 0)).sum(axis=0) / scale,
        effective=effective,
        scale=scale,
    )


def scales(changes: Array, largest: float) -> Array:
    """The largest change of each column that counts as possible: a flip of one item is counted in it."""
    seen = np.maximum(largest, np.abs(changes).max(axis=0))
    return np.where(seen > 0, seen, 1.0)


def in_errors(distance: Array, error: Array) -> Array:
    """``distance / error``; infinite over an error of 0, and 0 where both are."""
    return np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)


def group_sums(values: Array, group: Indices) -> Array:
    """Sum the rows of each group, for each column."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def _variance(squares: Array, n: Array | Indices) -> Array:
    """Variances from sums of squared deviations, one row per stratum; pooled over the strata where one has a single member."""
    freedom = np.broadcast_to(n - 1.0, squares.shape)
    pooled = np.divide(
        squares.sum(axis=0), freedom.sum(axis=0), out=np.full(squares.shape[1], math.nan), where=freedom.sum(axis=0) > 0
    )
    return np.asarray(np.divide(squares, freedom, out=np.broadcast_to(pooled, squares.shape).copy(), where=freedom > 0))
