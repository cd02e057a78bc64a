"""What the files of a sweep say of its levels, its model and its circumstances."""

import math
from collections.abc import Mapping
from typing import Any

from qbench.records import Run, Sweep
from qbench.report.table import Cost, LevelFacts, Provenance


def facts_of(name: str, run: Run) -> LevelFacts:
    proof, cells = run.info.get("proof", {}), run.info["cells"].values()
    return LevelFacts(
        name=name,
        bits_per_weight=float(proof.get("bits_per_weight", math.nan)),
        storage_bytes=float(proof.get("storage_bytes", math.nan)),
        cost=Cost.of(run.info.get("cost") or {}),
        n_tokens=float(sum(cell.get("n_tokens", math.nan) for cell in cells)),
        seconds=float(sum(cell.get("seconds", math.nan) for cell in cells)),
        n_items=sum(cell["n_items"] for cell in cells),
        n_failed=sum(cell.get("n_failed", 0) for cell in cells),
        stored_as=_stored_as(run.info.get("level", {})),
    )


def _stored_as(level: Mapping[str, Any]) -> str:
    """What run.json says of a level, in words."""
    match level:
        case {"kind": "mix", "default": default, "rules": rules}:
            return f"a mix of {default} and {'; '.join(rules)}"
        case {"kind": "as-is", "quantization": found}:
            return f"a ready-made checkpoint ({(found or {}).get('quant_method', 'full precision')})"
        case {"kind": "level", "bits": int(bits), "engine": engine, "group_size": group_size, "symmetric": symmetric}:
            shared = f"one scale for every {group_size} weights" if group_size else "one scale for every row of weights"
            # bitsandbytes has formats of its own, which are neither.
            zero = "" if engine == "bnb" else ", symmetric" if symmetric else " and a zero point"
            return f"engine {engine}, {bits} bits, {shared}{zero}"
        case _:
            return ""


def provenance_of(sweep: Sweep, baseline: Run) -> Provenance:
    info, model, bank = sweep.info, baseline.info.get("model", {}), baseline.info.get("bank", {})
    return Provenance(
        run=sweep.dir.name,
        model=str(info.get("model", model.get("name", ""))),
        model_sha256=str(model.get("sha256", "")),
        n_parameters=model.get("n_parameters"),
        bank_version=str(bank.get("version", "")),
        bank_sha256=str(bank.get("sha256", "")),
        seed=info.get("seed"),
        created=str(info.get("created", "")),
        git_commit=baseline.info.get("git_commit"),
        versions=dict(baseline.info.get("versions", {})),
        hardware=dict(baseline.info.get("hardware", {})),
        dtype=str(model.get("dtype", "")).removeprefix("torch."),
        engine=str(info.get("engine", "")),
        num_fewshot=info.get("num_fewshot"),
        apply_chat_template=bool(info.get("apply_chat_template")),
        limit=info.get("limit"),
    )
