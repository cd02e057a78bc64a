"""The project's own facts are well formed, and true where something installed here can say so."""

import csv
import re
import socket
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import yaml

from qbench.bank import read_leaf, tasks_dir
from qbench.facts import table
from qbench.generators.explanations import PLACE, with_mistakes
from qbench.generators.facts import ATOM, one

FOLDER = Path(tasks_dir()) / "facts"
KNOWLEDGE = sorted((FOLDER.parent / "knowledge").glob("*.yaml"))
KEYS = {
    "abbreviations": "abbreviation meaning wrong_1 wrong_2 wrong_3 fame",
    "animals": "animal class fame",
    "artists": "artist movement also fame",
    "battles": "battle war fame",
    "capitals": "country capital continent also fame",
    "care_symbols": "symbol meaning kind also fame",
    "compounds": "compound formula kind fame",
    "constants": "constant mantissa exponent unit scipy fame",
    "conversions": "large+small factor fame",
    "currencies": "country currency region fame",
    "deities": "deity mythology domain also fame",
    "diseases": "disease cause also fame",
    "dishes": "dish country region also fame",
    "elements": "name symbol number fame",
    "events": "event year era fame",
    "explanations": "topic question explanation",
    "file_formats": "extension content also fame",
    "holidays": "holiday celebrated_by also fame",
    "ingredients": "dish ingredient kind also fame",
    "instruments": "instrument family fame",
    "inventions": "invention inventor year also fame",
    "knots": "knot purpose also fame",
    "languages": "capital language region fame",
    "materials": "material density floats fame",
    "minerals": "mineral hardness fame",
    "moons": "moon planet fame",
    "numbers": "things number topic fame",
    "organs": "part job system also fame",
    "paper_sizes": "size width length fame",
    "periods": "period position",
    "persons": "description person alias",
    "planets": "planet position",
    "ports": "service port fame",
    "practical_questions": "question answer wrong_1 wrong_2 wrong_3 topic fame",
    "prefixes": "prefix symbol exponent fame",
    "procedures": "task step_1 step_2 step_3 step_4 step_5 fame",
    "programming_languages": "language creator fame",
    "radio_alphabet": "letter word",
    "rivers": "city river region also fame",
    "rulers": "ruler realm region also fame",
    "sciences": "science subject field fame",
    "tools": "job tool also fame",
    "units": "quantity unit symbol fame",
    "vocabulary": "language+meaning family word also fame",
    "works": "work verb author fame",
}
"""The columns of every table of facts; what stands first, or what two columns joined by a plus say together, occurs once."""
OPTIONAL = {("constants", "unit"), ("constants", "scipy")}
NUMBERS = {
    "conversions": ["factor"],
    "constants": ["mantissa", "exponent"],
    "elements": ["number"],
    "events": ["year"],
    "inventions": ["year"],
    "materials": ["density"],
    "minerals": ["hardness"],
    "numbers": ["number"],
    "paper_sizes": ["width", "length"],
    "periods": ["position"],
    "planets": ["position"],
    "ports": ["port"],
    "prefixes": ["exponent"],
}


def normal(text: str) -> str:
    return re.sub(r"^(a|an|the) ", "", re.sub(r"\W+", " ", text.casefold()).strip())


def test_there_are_enough_facts() -> None:
    # Sentences and questions do not count: they are no facts that a template looks up.
    sentences = {"explanations", "practical_questions", "procedures"}
    assert sum(len(table(name)) for name in KEYS.keys() - sentences) >= 900
    assert len(table("practical_questions")) >= 150


@pytest.mark.parametrize("name", KEYS)
def test_a_table_has_its_columns_and_no_empty_cell(name: str) -> None:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert sorted(head) == sorted(KEYS[name].replace("+", " ").split())
    for row in rows:
        assert len(row) == len(head), row
        for column, cell in zip(head, row, strict=True):
            assert cell == cell.strip(), row
            assert cell or column == "also" or (name, column) in OPTIONAL, row
            assert "  " not in cell, row


@pytest.mark.parametrize("name", KEYS)
def test_nothing_is_asked_twice(name: str) -> None:
    key = ["question"] if name == "explanations" else KEYS[name].split()[0].split("+")
    counts = Counter(tuple(row[column].casefold() for column in key) for row in table(name))
    assert [value for value, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", KEYS)
def test_fame_is_one_to_five_and_every_level_occurs(name: str) -> None:
    if "fame" in KEYS[name]:
        fames = {row["fame"] for row in table(name)}
        assert fames == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_parse(name: str) -> None:
    for row in table(name):
        for column in NUMBERS[name]:
            assert Decimal(row[column]).is_finite(), row


def test_years_are_plausible() -> None:
    eras = {"medieval": (500, 1500), "early": (1500, 1800), "nineteenth": (1800, 1900), "modern": (1900, 1949)}
    for row in table("events"):
        low, high = eras.get(row["era"], (1945, 2020))
        assert low <= int(row["year"]) <= high, row
    for row in table("inventions"):
        assert 1400 <= int(row["year"]) <= 2020, row
        assert not re.search(r"\d{4}", row["invention"]), f"the year is in the question: {row}"


@pytest.mark.parametrize("name", ["practical_questions", "abbreviations"])
def test_wrong_answers_differ_from_the_right_one(name: str) -> None:
    for row in table(name):
        right = row["answer" if name == "practical_questions" else "meaning"]
        choices = [normal(text) for text in (right, row["wrong_1"], row["wrong_2"], row["wrong_3"])]
        assert len(set(choices)) == 4, row


def test_practical_questions_are_questions_that_do_not_tell_their_answer() -> None:
    topics = Counter(row["topic"] for row in table("practical_questions"))
    assert min(topics.values()) >= 15
    for row in table("practical_questions"):
        assert row["question"].endswith("?"), row
        assert not re.search(rf"\b{re.escape(normal(row['answer']))}\b", normal(row["question"])), row


def test_no_step_of_a_procedure_comes_twice() -> None:
    for row in table("procedures"):
        assert len({normal(row[f"step_{k}"]) for k in range(1, 6)}) == 5, row


def test_an_explanation_offers_four_mistakes_that_differ_from_what_is_right() -> None:
    for row in table("explanations"):
        places = PLACE.findall(row["explanation"])
        assert len(places) >= 4, row
        assert all(normal(right) != normal(wrong) for right, wrong in places), row
        rest = with_mistakes(row["explanation"], ())
        assert not re.search(r"[\[\]|]", rest), row
        # At least one mistake can be pointed at: its words stand nowhere else in the text.
        assert any(not re.search(rf"\b{re.escape(wrong)}\b", rest) for _, wrong in places), row


# ---------------------------------------------------------------- compared with something else


def test_element_symbols_are_well_formed() -> None:
    # No library that is installed with qbench knows the symbols; the names and the Latin exceptions do.
    rows = table("elements")
    assert [int(row["number"]) for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["symbol"] for row in rows}) == len(rows)
    from_latin = {"Na", "K", "Fe", "Cu", "Ag", "Sn", "Sb", "W", "Au", "Hg", "Pb"}
    for row in rows:
        assert re.fullmatch(r"[A-Z][a-z]?", row["symbol"]), row
        letters = iter(row["name"])
        assert row["symbol"] in from_latin or all(letter in letters for letter in row["symbol"].lower()), row


def test_formulas_are_made_of_elements() -> None:
    symbols = {row["symbol"] for row in table("elements")}
    for row in table("compounds"):
        atoms = ATOM.findall(row["formula"])
        assert "".join(symbol + digits for symbol, digits in atoms) == row["formula"], row
        assert {symbol for symbol, _ in atoms} <= symbols, row


VALENCES = {"H": 1, "F": 1, "Cl": 1, "O": 2, "N": 3, "C": 4}


def test_organic_formulas_leave_an_even_number_of_bonds() -> None:
    # Degrees of unsaturation, (2C + 2 + N - H - X) / 2, are a whole number that is not negative.
    for row in table("compounds"):
        if row["kind"] in ("hydrocarbon", "organic"):
            atoms = {symbol: int(digits or 1) for symbol, digits in ATOM.findall(row["formula"])}
            bonds = 2 + sum(n * (VALENCES[symbol] - 2) for symbol, n in atoms.items())
            assert bonds >= 0, row
            assert bonds % 2 == 0, row


def test_physical_constants_agree_with_scipy() -> None:
    from scipy import constants

    compared = 0
    for row in table("constants"):
        if row["scipy"]:
            mantissa, exponent = f"{constants.value(row['scipy']):.15e}".split("e")
            assert int(exponent) == int(row["exponent"]), row
            known = Decimal(row["mantissa"])
            assert abs(Decimal(mantissa) - known) <= Decimal(1).scaleb(known.as_tuple().exponent), row  # type: ignore[arg-type]
            compared += 1
    assert compared >= 20


def test_lengths_of_astronomy_agree_with_scipy() -> None:
    from scipy import constants

    for name, value in (
        ("the astronomical unit", constants.astronomical_unit),
        ("the light-year", constants.light_year),
        ("the parsec", constants.parsec),
    ):
        (row,) = [row for row in table("constants") if row["constant"] == name]
        assert value == pytest.approx(float(f"{row['mantissa']}e{row['exponent']}"), rel=1e-7)


def test_mathematical_constants_agree_with_mpmath() -> None:
    import mpmath

    known = {
        "pi": mpmath.pi,
        "Euler's number e": mpmath.e,
        "the golden ratio": mpmath.phi,
        "the square root of 2": mpmath.sqrt(2),
        "the square root of 3": mpmath.sqrt(3),
        "the square root of 5": mpmath.sqrt(5),
        "the square root of pi": mpmath.sqrt(mpmath.pi),
        "the cube root of 2": mpmath.cbrt(2),
        "the natural logarithm of 2": mpmath.log(2),
        "the natural logarithm of 10": mpmath.log(10),
        "the common logarithm of 2": mpmath.log10(2),
        "the common logarithm of 3": mpmath.log10(3),
        "the Euler-Mascheroni constant": mpmath.euler,
        "Catalan's constant": mpmath.catalan,
        "Apéry's constant": mpmath.apery,
    }
    rows = {row["constant"]: row for row in table("constants") if not row["unit"] and not row["scipy"]}
    assert rows.keys() == known.keys()
    for name, row in rows.items():
        written = mpmath.mpf(row["mantissa"]) * mpmath.mpf(10) ** int(row["exponent"])
        assert abs(written - known[name]) < mpmath.mpf(10) ** (int(row["exponent"]) - 13), row


def test_prefixes_agree_with_scipy() -> None:
    from scipy import constants

    for row in table("prefixes"):
        value = getattr(constants, {"deca": "deka"}.get(row["prefix"], row["prefix"]), None)
        if value is not None:
            assert value == pytest.approx(10.0 ** int(row["exponent"])), row


def test_conversions_agree_with_scipy() -> None:
    from scipy import constants

    meters = {
        "miles": constants.mile,
        "yards": constants.yard,
        "feet": constants.foot,
        "inches": constants.inch,
        "nautical miles": constants.nautical_mile,
        "meters": 1,
        "kilometers": 1000,
        "centimeters": 0.01,
        "millimeters": 0.001,
        "pounds": constants.pound,
        "ounces": constants.oz,
        "stones": constants.stone,
        "kilograms": 1,
        "grams": 0.001,
        "metric tons": 1000,
        "hectares": constants.hectare,
        "square meters": 1,
        "square centimeters": 1e-4,
    }
    compared = 0
    for row in table("conversions"):
        if row["large"] in meters and row["small"] in meters:
            assert meters[row["large"]] / meters[row["small"]] == pytest.approx(float(row["factor"])), row
            compared += 1
    assert compared >= 12


def test_ports_agree_with_the_system() -> None:
    services = {"HTTP": "http", "HTTPS": "https", "SSH": "ssh", "SMTP": "smtp", "POP3": "pop3", "LDAP": "ldap"}
    services |= {"Telnet": "telnet", "IMAPS": "imaps", "POP3S": "pop3s", "DNS": "domain", "BGP": "bgp"}
    ports = {row["service"]: int(row["port"]) for row in table("ports")}
    for service, name in services.items():
        try:
            known = socket.getservbyname(name)
        except OSError:  # this system has no table of services, or not this one in it
            continue
        assert ports[service] == known, service


def test_each_paper_size_is_half_of_the_one_before() -> None:
    sizes = {row["size"]: (int(row["width"]), int(row["length"])) for row in table("paper_sizes")}
    for size, (width, length) in sizes.items():
        assert length / width == pytest.approx(2**0.5, abs=0.02), size
        smaller = sizes.get(f"{size[0]}{int(size[1:]) + 1}")
        assert smaller is None or smaller == (length // 2, width), size


def test_the_radio_alphabet_spells_its_letters() -> None:
    rows = table("radio_alphabet")
    assert "".join(row["letter"] for row in rows) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert all(row["word"].startswith(row["letter"]) for row in rows)


def test_countries_have_one_capital_in_every_table() -> None:
    capitals = {row["capital"] for row in table("capitals")}
    elsewhere = {"Prague"}  # capital_of_country leaves the country out, whose two names are both in use
    assert {row["capital"] for row in table("languages")} <= capitals | elsewhere


@pytest.mark.parametrize("name", [name for name, columns in KEYS.items() if " also " in columns])
def test_what_else_is_true_of_a_row_ties_it_to_another_row(name: str) -> None:
    rows = table(name)
    said = Counter(word for row in rows for word in also(row))
    cells = {cell for row in rows for column, cell in row.items() if column != "also"}
    assert [word for word, count in said.items() if count == 1 and word not in cells] == [], "a slip of the pen?"
    assert all(len(also(row)) == len(set(also(row))) for row in rows)


@pytest.mark.parametrize(
    ("name", "ask", "answer", "asked", "right_too"),
    [  # from encyclopedias
        ("deities", "domain", "deity", "childbirth", {"Isis", "Bastet", "Artemis", "Juno"}),
        ("deities", "domain", "deity", "thunder", {"Zeus", "Jupiter", "Perun", "Indra"}),
        ("deities", "deity", "domain", "Thoth", {"the moon", "wisdom"}),
        ("artists", "artist", "movement", "Parmigianino", {"the Renaissance"}),
        ("tools", "job", "tool", "zest a lemon", {"a grater", "a peeler"}),
        ("tools", "job", "tool", "hold a workpiece on a bench", {"a clamp"}),
        ("dishes", "country", "dish", "France", {"cheese fondue", "moules-frites"}),
        ("diseases", "disease", "cause", "Creutzfeldt-Jakob disease", {"an inherited gene"}),
    ],
)
def test_a_wrong_answer_is_not_right_as_well(name: str, ask: str, answer: str, asked: str, right_too: set[str]) -> None:
    assert right_too <= {row[answer] for row in table(name)}
    fame = next(int(row["fame"]) for row in table(name) if row[ask] == asked)
    draws = [one(np.random.default_rng(seed), fame, table=name, ask=ask, answer=answer) for seed in range(400)]
    wrong = [set(drawn["wrong"]) for drawn in draws if drawn["fact"][ask] == asked]
    assert wrong
    assert right_too.isdisjoint(set.union(*wrong))


def also(row: Mapping[str, str]) -> list[str]:
    return row["also"].split("; ") if row["also"] else []


# ---------------------------------------------------------------- what does not exist


def test_invented_names_are_in_no_table() -> None:
    cells = {normal(cell) for name in KEYS for row in table(name) for cell in row.values()}
    for path in KNOWLEDGE:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_NamesOnly)
        for entry in config["dataset_kwargs"]["templates"]:
            parts = [spec["choice"] for key, spec in entry.get("variables", {}).items() if key in PARTS]
            if "declines" in entry:
                assert parts, entry["id"]
                for first in parts[0]:
                    for second in parts[1]:
                        for joined in (f"{first}{second}", f"{first} {second}"):
                            assert normal(joined) not in cells, (entry["id"], joined)


PARTS = ("first", "stem", "owner", "maker", "second", "ending", "kind")


class _NamesOnly(yaml.SafeLoader):
    """Reads a ``!function`` as its name."""


_NamesOnly.add_constructor("!function", lambda loader, node: str(node.value))


def test_who_always_declines_and_who_never_does_are_right_in_half() -> None:
    for leaf in map(read_leaf, KNOWLEDGE):
        declining = [template for template in leaf.templates if template.declines]
        assert len(declining) >= 3, leaf.task
        items = [item for item in leaf.items(items=40) if item.declining_index >= 0]
        assert {item.template for item in items} == {template.id for template in declining}
        right = sum(item.declining_index == item.target_index for item in items)
        assert right * 2 == len(items)
        families: dict[str, set[tuple[str, ...]]] = {}
        for item in items:
            families.setdefault(item.twin, set()).add(tuple(sorted(item.choices)))
        assert all(len(choices) == 1 for choices in families.values()), "twins offer the same choices"
