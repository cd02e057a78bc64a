"""What the models of all engines do alike: leave out what the window cannot hold, say what happened to each prompt, and never pass a
failure off as an answer. How tokens are decoded and scored is what their own classes say.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from tqdm import tqdm

from qbench import levels
from qbench.decoding import Decoded, Ending
from qbench.levels import Rung
from qbench.notes import NAN_LOGITS, Note, report_failures
from qbench.quant.proof import Proof
from qbench.scoring import FAILED

Encoded = tuple[tuple[str, str] | None, list[int], list[int]]
"""A log-likelihood request as lm-eval hands it on: (context, continuation) as text, and both as token ids."""


@dataclass(frozen=True)
class Asked:
    """A request for a response."""

    request: Instance
    tokens: list[int]
    """Of its prompt."""
    max_new_tokens: int

    @property
    def prompt(self) -> str:
        return str(self.request.args[0])


class Answering(TemplateLM):  # type: ignore[misc]  # lm-eval ships no types
    """A model that a sweep can ask. Among the bases it comes before the lm-eval model that computes."""

    takes_drafts = True
    """Whether `drafts` save work and change no answer; others are not even looked at."""
    is_in_process = True
    """Whether it computes in this process, whose memory can be measured."""
    advice = "Try dtype=float32"
    """What helps against logits that are not numbers."""
    caution = ""
    """What whoever reads the scores should know; empty for nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level: Rung = levels.LEVELS["fp16"]
        self.proof: Proof | None = None
        self.drafts: Mapping[str, str] = {}
        """Likely responses by prompt, verified before anything is decoded."""
        self.notes: dict[str, Note] = {}
        """By prompt: what happened in the last requests."""
        self.record_failures = False
        """True: a prompt with NaN logits gets a note and a marked response; False: it ends the evaluation."""

    @property
    def can_be_timed(self) -> bool:
        """Whether one stream can be timed. An encoder-decoder does not go on from its prompt."""
        return bool(self.backend == "causal")

    # ------------------------------------------------------------ levels

    def set_level(self, name: str) -> Proof:
        """Bring the model to another level, made from the weights of the same checkpoint."""
        self._set_level(levels.resolve(name))
        assert self.proof is not None
        return self.proof

    def _set_level(self, level: Rung) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ generation

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer each request. One that does not fit into the window is not asked, and nothing is ever cut to fit."""
        asked = [self._asked(request) for request in requests]
        groups: dict[str, list[int]] = defaultdict(list)
        answers: dict[int, tuple[str, Note]] = {}
        for at, one in enumerate(asked):
            if self._fits(one):
                groups[repr({**self._options(one.request), "max_gen_toks": None})].append(at)
            else:
                answers[at] = "", Note.too_long(len(one.tokens), one.max_new_tokens, self.max_length)
        with tqdm(total=len(requests), desc="Generating", disable=disable_tqdm or self.rank != 0) as bar:
            bar.update(len(answers))
            for group in groups.values():
                answers |= zip(group, self._answer([asked[at] for at in group], bar.update), strict=True)
        responses = []
        for at, one in enumerate(asked):
            text, note = answers[at]
            responses.append(FAILED + note.failed if note.failed else text)
            self.notes[one.prompt] = note
            self.cache_hook.add_partial("generate_until", one.request.args, responses[-1])
        self._report_failures(requests)
        return responses

    def _asked(self, request: Instance) -> Asked:
        return Asked(request, self.tok_encode(request.args[0]), int(self._options(request)["max_gen_toks"]))

    def _options(self, request: Instance) -> dict[str, Any]:
        return dict(normalize_gen_kwargs(request.args[1], self.max_gen_toks))

    def _fits(self, asked: Asked) -> bool:
        n_new = asked.max_new_tokens if self.backend == "causal" else 0  # a decoder of its own has a window of its own
        return bool(len(asked.tokens) + n_new <= self.max_length)

    def _answer(self, asked: Sequence[Asked], progress: Callable[[int], Any]) -> list[tuple[str, Note]]:
        """Answer requests, greedily, whose generation arguments differ in nothing but the length."""
        eos = self.tok_decode([self.eot_token_id], skip_special_tokens=False)
        stops = handle_stop_sequences(self._options(asked[0].request).get("until"), eos=eos)
        usual_stop = next((stop for stop in stops if stop != eos), "")
        ending = Ending(
            tokens=frozenset(self._end_tokens()),
            is_stopped=lambda tokens: any(stop in self.tok_decode(tokens) for stop in stops if stop),
        )
        drafts = [self._draft(one.prompt, usual_stop) for one in asked] if self.drafts and self.takes_drafts else None
        decoded = self._decode(asked, ending, drafts, progress)
        return [(self._text(result, stops), Note.of(result)) for result in decoded]

    def _draft(self, prompt: str, stop: str) -> list[int] | None:
        """A likely response, and the stop string that may have been cut off it; where it ended otherwise, that end is not accepted."""
        draft = self.drafts.get(prompt)
        return list(self.tokenizer.encode(draft + stop, add_special_tokens=False)) if draft else None

    def _decode(
        self,
        asked: Sequence[Asked],
        ending: Ending,
        drafts: list[list[int] | None] | None,
        progress: Callable[[int], Any],
    ) -> list[Decoded]:
        """The greedy choice of the model behind each prompt."""
        raise NotImplementedError

    def _end_tokens(self) -> set[int]:
        raise NotImplementedError

    def _text(self, decoded: Decoded, stops: list[str]) -> str:
        return str(postprocess_generated_text(self.tok_decode(decoded.tokens), stops, None))

    # ------------------------------------------------------------ log-likelihoods

    def _loglikelihood_tokens(
        self, requests: list[Encoded], disable_tqdm: bool = False, **kwargs: Any
    ) -> list[tuple[float, bool]]:
        """Score continuations. A request that does not fit into the window is not asked, and gets NaN."""
        lengths = [len(context) + len(continuation) for _, context, continuation in requests]
        fitting = [at for at, length in enumerate(lengths) if length <= self._longest_scored]
        results = [(math.nan, False)] * len(requests)
        scored = self._score([requests[at] for at in fitting], disable_tqdm=disable_tqdm, **kwargs)
        for at, result in zip(fitting, scored, strict=True):
            results[at] = result
        for (texts, context, continuation), (log_likelihood, _) in zip(requests, results, strict=True):
            if texts is not None and math.isnan(log_likelihood):
                is_asked = len(context) + len(continuation) <= self._longest_scored
                self.notes[texts[0]] = (
                    Note(failed=NAN_LOGITS)
                    if is_asked
                    else Note.too_long(len(context), len(continuation), self.max_length)
                )
        return results

    @property
    def _longest_scored(self) -> int:
        """Tokens of a context and its continuation; the last one is scored and not read."""
        return int(self.max_length) + 1

    def _score(self, requests: list[Encoded], disable_tqdm: bool = False, **kwargs: Any) -> list[tuple[float, bool]]:
        """The log-likelihood of each continuation in nats, and whether it is the greedy choice."""
        raise NotImplementedError

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        results = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        self._report_failures(requests)
        return list(results)

    def _report_failures(self, requests: Sequence[Instance]) -> None:
        if not self.record_failures:
            report_failures(requests, self.notes, self.level.name, self.advice)
