"""What the files of a sweep say of its levels, its model and its circumstances."""

from qbench.records import Run, Stored, Sweep
from qbench.report.table import LevelFacts, Provenance


def facts_of(name: str, run: Run) -> LevelFacts:
    facts, cells = run.facts, run.facts.cells.values()
    return LevelFacts(
        name=name,
        bits_per_weight=facts.proof.bits_per_weight,
        storage_bytes=facts.proof.storage_bytes,
        cost=facts.cost,
        n_tokens=float(sum(cell.n_tokens for cell in cells)),
        seconds=float(sum(cell.seconds for cell in cells)),
        n_items=sum(cell.n_items for cell in cells),
        n_failed=sum(cell.n_failed for cell in cells),
        stored_as=_stored_as(facts.level),
    )


def _stored_as(level: Stored) -> str:
    """What run.json says of a level, in words."""
    match level:
        case Stored(kind="mix", default=default, rules=rules):
            return f"a mix of {default} and {'; '.join(rules)}"
        case Stored(kind="as-is", quantization=found):
            return f"a ready-made checkpoint ({(found or {}).get('quant_method', 'full precision')})"
        case Stored(kind="level", bits=int(bits), engine=engine, group_size=group_size, symmetric=symmetric):
            shared = f"one scale for every {group_size} weights" if group_size else "one scale for every row of weights"
            # bitsandbytes has formats of its own, which are neither.
            zero = "" if engine == "bnb" else ", symmetric" if symmetric else " and a zero point"
            return f"engine {engine}, {bits} bits, {shared}{zero}"
        case _:
            return ""


def provenance_of(sweep: Sweep, baseline: Run) -> Provenance:
    plan, facts = sweep.plan, baseline.facts
    return Provenance(
        run=sweep.dir.name,
        model=plan.model or facts.model.name,
        model_sha256=facts.model.sha256,
        n_parameters=facts.model.n_parameters,
        bank_version=facts.bank.version,
        bank_sha256=facts.bank.sha256,
        seed=plan.seed,
        created=plan.created,
        git_commit=facts.git_commit,
        versions=facts.versions,
        hardware=facts.hardware,
        dtype=facts.model.dtype.removeprefix("torch."),
        engine=plan.engine,
        num_fewshot=plan.num_fewshot,
        apply_chat_template=plan.apply_chat_template,
        limit=plan.limit,
    )
