"""The page for newcomers, docs/add_a_probe.md, does what it says: its YAML and its commands are run, up to the report."""

import json
import re
import shlex
from pathlib import Path

import pytest

from qbench.bridge import run_lm_eval
from qbench.cli import EXIT_BAD_INPUT, main

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "add_a_probe.md").read_text(encoding="utf-8")


def commands(word: str) -> list[list[str]]:
    """The commands of the page that begin with this word, without it."""
    return [shlex.split(line)[1:] for line in re.findall(rf"^\$ ({word} .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "shop.yaml").write_text(yaml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_leads_to_a_report(probes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify, sweep = commands("qbench")
    assert main(verify) == 0
    assert capsys.readouterr().out.strip() in PAGE
    assert main(sweep) == 0
    (path,) = probes.glob("runs/*/report/report.json")
    (row,) = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert (row["kind"], row["name"], row["baseline"]["n_items"], row["baseline"]["n_templates"]) == (
        "category",
        "shop",
        10,
        2,
    )
    assert [cell["level"] for cell in row["cells"]] == ["fp16-repeat", "q4"]
    assert all(cell["difference"]["interval"]["low"] is not None for cell in row["cells"])


def test_plain_lm_eval_asks_it_too(
    probes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = commands("lm_eval")
    assert command[:4] == ["--model", "hf", "--model_args", "pretrained=…"]
    monkeypatch.setattr("sys.argv", ["lm_eval"])
    run_lm_eval(["--model", "qbench", *command[4:], "--limit", "2"])  # the model that is at hand
    table = capsys.readouterr().out
    assert "|qbench_shop_change|" in table
    assert "|score " in table


ASKED = "class: !function qbench.probe.Answer"
QUESTION = re.findall(r"question: .*", PAGE)[0]
COUNT = "{integers: [[2, 5], [2, 9], [3, 12], [5, 30], [11, 99]]}"
PRICE = "{decimals: [0, 1, 2, 2, 2], between: [[1, 3], [1, 3], [1, 5], [1, 20], [1, 90]]}"
PEOPLE = "{choice: [Ada, Ben, Cleo, Dan]}"
CHANGE = 'answer: "paid - cost"'
FORM = 'form: "an amount with two decimals"'
EXACTLY = "tolerance: {mode: decimals, n: 2}"
IN = "Template change_from_a_note"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        # the file
        (ASKED, "include: nowhere.yaml", "There is no file probes/nowhere.yaml, which probes/shop.yaml includes."),
        (ASKED, "include: ../probes", "There is no file probes/../probes, which probes/shop.yaml includes."),
        (ASKED, "include: shop.yaml", "probes/shop.yaml includes shop.yaml, and so itself"),
        (ASKED, "include: 5", "probes/shop.yaml: include must be the path of a file, or a list of them, not 5."),
        (ASKED, f"{ASKED}\nmetadata: v1", "probes/shop.yaml: metadata must be a mapping, as in {name: value}, not 'v1'."),
        (ASKED, "class: qbench.probe.Answer", "names its class as a text, which lm-eval cannot call; write class: !function"),
        (ASKED, "class: !function mymodule.Foo", "names the class mymodule.Foo. There are qbench.probe.Answer, "),
        ("task: qbench_shop_change\n", "", "probes/shop.yaml has no task; add it, a text"),
        ("task: qbench_shop_change", "task: 12", "probes/shop.yaml: task must be a text (a number needs quotes), not 12."),
        ("category: shop", "category: [shop]", "dataset_kwargs: category must be a text (a number needs quotes), not ['shop']"),
        ("category: shop", "categry: shop", "dataset_kwargs: there is no field 'categry'. Did you mean category?"),
        (CHANGE, f"{CHANGE}\n      {CHANGE}", "is not valid YAML (line 18: answer comes twice"),
        (PEOPLE, "{choice: [yes, no]}", "(line 10: yes is a truth value in YAML; put the word in quotes, or write true or false)"),
        (PEOPLE, "2024-02-30", "probes/shop.yaml is not valid YAML (day"),
        # a template
        ("id: change_from_a_note", "id: 7", "Template 7: id must be a text (a number needs quotes), not 7."),
        ("- id: change_from_a_note\n      question", "- question", "Template without an id has no id; add it"),
        (QUESTION, "question: 5", f"{IN}: question must be a text (a number needs quotes), not 5."),
        ("question:", "qestion:", f"{IN}: there is no field 'qestion'. Did you mean question?"),
        ("variables:", "variables: x\n      options:", f"{IN}: variables must be a mapping, as in {{name: value}}, not 'x'."),
        ('conditions: ["paid > cost"]', 'conditions: "paid > cost"', f"{IN}: conditions must be a list of expressions"),
        (CHANGE, "answer: 5", f"{IN}: answer must be an expression in quotes, as in \"a + b\", not 5."),
        (CHANGE, "target: 5", f"{IN}: target must be a text (a number needs quotes), not 5."),
        (CHANGE, f"{CHANGE}\n      distractors: [1, 2]", f"{IN}: distractors must be a list of texts (numbers need quotes)"),
        (CHANGE, f'{CHANGE}\n      distractors: "paid"', "its distractors must be a list of texts"),
        (CHANGE, f"{CHANGE}\n      solution: [a, b]", f"{IN}: solution must be a text (a number needs quotes), not ['a', 'b']."),
        (FORM, "form: [a]", f"{IN}: form must be a text (a number needs quotes), not ['a']."),
        ('knob: "cost"', "knob: 5", f"{IN}: knob must be an expression in quotes"),
        ('knob: "cost"', 'knob: "person"', "its knob 'person' is '"),
        (f"scored_as: {{type: number, {EXACTLY}, units: {{usd: \"1\"}}}}", "scored_as: number", f"{IN}: scored_as must be a mapping"),
        (EXACTLY, "tolerance: exact", "its tolerance must be a mapping, as in {name: value}, not 'exact'."),
        (EXACTLY, "tolerance: {mode: decimals, n: two}", "its tolerance: 'two' is not a number."),
        (FORM, f"{FORM}\n      twins: [a, b]", f"{IN}: twins must be a mapping, as in {{name: value}}, not ['a', 'b']."),
        (FORM, f"{FORM}\n      twins: {{a: , b: {{form: x}}}}", f"{IN}, twin a must be a mapping, as in {{name: value}}, not nothing."),
        (FORM, f"{FORM}\n      twins: {{a: {{}}, b: {{frm: x}}}}", f"{IN}, twin b: there is no field 'frm'. Did you mean form?"),
        (FORM, f'{FORM}\n      document: "What?"', f"{IN}: document must be a mapping, as in {{name: value}}, not 'What?'."),
        (FORM, f"{FORM}\n      document: {{difficulty: 7}}", f"{IN}, document: difficulty must be a whole number from 1 to 5, not 7."),
        (FORM, f"{FORM}\n      document: {{values: {{cuont: 3}}}}", f"{IN}, document, values: there is no field 'cuont'. Did"),
        (FORM, f"{FORM}\n      document: {{variant: loud}}", f"{IN}, document: there is no twin 'loud'."),
        # a variable
        (COUNT, "{integers: [2, 9], stp: 10}", f"{IN}, variable count: there is no field 'stp'. Did you mean step?"),
        (COUNT, "{integers: [2.5, 5]}", f"{IN}, variable count: integers must be a range [low, high] of whole numbers"),
        (COUNT, '{integers: [2, "5 / 2"]}', f"{IN}, variable count: the range 2 to 2.5 ends between two of the values"),
        (COUNT, '{integers: ["person", 5]}', f"{IN}, variable count: 'person' is '"),
        (COUNT, "{integers: [2, 9], step: 0}", f"{IN}, variable count: step must be a whole number above zero, not 0."),
        (COUNT, "{integers: [2, 10000000000000000000000]}", f"{IN}, variable count: the range 2 to 10000000000000000000000 holds more"),
        (PRICE, "{decimals: 2}", f"{IN}, variable price has no between; add it, a range [low, high]"),
        (PRICE, "{decimals: two, between: [1, 3]}", f"{IN}, variable price: decimals must be a whole number from 0 to 100"),
        (PRICE, "{decimals: 2, between: [3, 1]}", f"{IN}, variable price: the range 3 to 1 is empty"),
        (PRICE, '{decimals: 2, between: ["fruit", 1]}', f"{IN}, variable price: 'fruit' is '"),
        (PEOPLE, "{sample: 2}", f"{IN}, variable person has no of; add it, a list, or the name of one."),
        (PEOPLE, "{list: 2}", f"{IN}, variable person has no of; add it"),
        (PEOPLE, '{list: "0 - 1", of: 1}', f"{IN}, variable person: its length 0 - 1 is -1 here"),
        (PEOPLE, "{list: 2, of: {integers: 7}}", f"{IN}, variable person, of: integers must be a range [low, high]"),
        (PEOPLE, "{list: 30000000, of: 1}", f"{IN}, variable person: list must be a whole number from 0 to 10,000"),
        (PEOPLE, "{list: 900, of: {list: 900, of: 1}}", f"{IN}, variable person: its lists hold more than 10,000 elements"),
        (PEOPLE, "{choice: [true, false]}", "does not read well"),
        (PEOPLE, "{value: 5}", f"{IN}, variable person: value must be an expression in quotes"),
        (PEOPLE, '{table: "../../../../../tmp/x"}', f"{IN}, variable person: there is no fact table"),
        (PEOPLE, "{table: capitals, where: {continet: Europe}}", "the fact table capitals has no column 'continet'. Did you"),
        (PEOPLE, "{table: capitals, where: {continent: Atlantis}}", "the fact table capitals has no row with {'continent': 'Atlantis'}."),
        (PEOPLE, "{generate: typos.typos, options: {txt: a}}", "the generator typos.typos has no option 'txt'. Did you mean text?"),
        (PEOPLE, "{generate: typos.typos, options: {text: 5}}", "the generator typos.typos cannot work with {'text': 5}"),
        ("variables:", "generate: puzzles.ordering\n      options: {n: 3}\n      variables:", f"{IN}: the generator puzzles.ordering has"),
    ],
)  # fmt: skip
def test_a_slip_in_the_yaml_is_one_sentence_that_says_where(
    probes: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, message: str
) -> None:
    path = probes / "probes" / "shop.yaml"
    yaml = path.read_text(encoding="utf-8")
    assert right in yaml
    path.write_text(yaml.replace(right, wrong, 1), encoding="utf-8")
    assert main(["bank", "verify", "probes/shop.yaml"]) == EXIT_BAD_INPUT
    told = capsys.readouterr().err
    assert message in told
    assert "probes/shop.yaml" in told
    assert "\n" not in told.strip()
