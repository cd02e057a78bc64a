"""A probe of your own is one YAML file that lies anywhere: its ``class`` names the way of asking, where the bank's own leaves include
a file of prompts/ by a relative path.

    task: qbench_shop_change
    class: !function qbench.probe.Answer
    dataset_kwargs: {category: shop, subcategory: change, templates: […]}
"""

from importlib.resources import files
from typing import Any

from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml  # what lm-eval reads a YAML with an include by; it has no public name

from qbench.bank import OWN_VERSION


class _Probe(ConfigurableTask):  # type: ignore[misc] # lm-eval is untyped
    prompt: str

    def __init__(self, config: dict[str, Any]) -> None:
        prompt = load_yaml(str(files("qbench.prompts") / f"{self.prompt}.yaml"))
        own = {name: value for name, value in config.items() if name != "class"}
        metadata = {"version": OWN_VERSION, **(own.get("metadata") or {})}
        super().__init__(config={**prompt, **own, "metadata": metadata})


class Answer(_Probe):
    """A generated answer of up to 256 tokens."""

    prompt = "answer"


class Writing(_Probe):
    """A generated answer of up to 512 tokens."""

    prompt = "writing"


class Choice(_Probe):
    """A forced choice by log-likelihood between the target and the ``distractors``, or near misses where a template names none."""

    prompt = "choice"

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__({**config, "dataset_kwargs": {**config["dataset_kwargs"], "as_choices": True}})
