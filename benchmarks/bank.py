"""What the bank holds, template by template, and how fast it is built.

    python benchmarks/bank.py                                # every leaf
    python benchmarks/bank.py qbench_logic_deduction         # one leaf, or several, or templates
    python benchmarks/bank.py --write                        # also quote the table in docs/bank.md

Columns: how its answers are judged; distinct items when 200 are drawn; milliseconds to draw an item; and the mean of the knob, what
makes an item hard, at the five difficulties. A knob that falls, or does not rise at all, is marked.
"""

import argparse
import json
import time
from dataclasses import dataclass

from quoting import quote

from qbench.bank import Leaf, leaves
from qbench.proofreading import grows, knob_means
from qbench.templates import Item, draw

WANTED = 200


@dataclass(frozen=True)
class Measured:
    leaf: str
    template: str
    kinds: str
    twins: int
    n_distinct: int
    milliseconds: float
    knob: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the bank holds, and how fast it is built.")
    parser.add_argument("names", nargs="*", help="tasks or templates (default: all)")
    parser.add_argument("--write", action="store_true", help="quote the table in docs/bank.md")
    options = parser.parse_args()
    start = time.process_time()
    rows = [
        measure(leaf, position)
        for leaf in leaves()
        for position, template in enumerate(leaf.templates)
        if not options.names or {leaf.task, template.id} & set(options.names)
    ]
    for row in rows:
        knob = " ".join(f"{value:9.4g}" for value in row.knob)
        marks = ("" if row.n_distinct >= WANTED else "  few items") + (
            "" if grows(row.knob) else "  KNOB DOES NOT GROW"
        )
        print(
            f"{row.leaf:38} {row.template:32} {row.kinds:16} {row.n_distinct:4} {row.milliseconds:6.2f} ms  {knob}{marks}"
        )
    print(f"{len(rows)} templates in {time.process_time() - start:.1f} s")
    if options.write:
        quote("docs/bank.md", {"templates": table(rows)})


def measure(leaf: Leaf, position: int) -> Measured:
    template = leaf.templates[position]
    start = time.process_time()
    items = [item for family in _drawn(leaf, position) for item in family]
    seconds = time.process_time() - start
    return Measured(
        leaf.task,
        template.id,
        "/".join(sorted({json.loads(item.answer)["type"] for item in items})),
        len(template.twins),
        len(items),
        1000 * seconds / len(items),
        knob_means(template) if template.knob else [0.0] * 5,
    )


def _drawn(leaf: Leaf, position: int) -> list[list[Item]]:
    return draw(
        leaf.templates[position],
        category=leaf.category,
        subcategory=leaf.subcategory,
        version=leaf.version,
        split="test",
        seed=0,
        count=WANTED,
        offset=position,
    )


def table(rows: list[Measured]) -> list[str]:
    heads = ["| leaf | template | judged as | twins | distinct items of 200 |", "|---|---|---|---:|---:|"]
    return heads + [
        f"| {row.leaf.removeprefix('qbench_')} | `{row.template}` | {row.kinds} | {row.twins or ''} | {row.n_distinct} |"
        for row in rows
    ]


if __name__ == "__main__":
    main()
