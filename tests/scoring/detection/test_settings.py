"""Settings come from the options, else from the calibration; what does not fit is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models.errors import ModelNameError
from scoring.calibration import Calibration
from scoring.detection.settings import (
    DEMO_PAIR,
    Options,
    refuse_other_options,
    refuse_other_settings,
    refuse_prior_without_curve,
    scorer_settings,
    settings_used,
    text_columns,
)
from scoring.errors import CalibrationError, ScoringError
from scoring.published import PUBLISHED, read_calibration
from tests.scoring.detection.fakes import BINDING, CURVE, REVISION, FakeScorer, calibration, model

ALIGNED = calibration(
    binding=BINDING
    | {"alignment": "aligned", "dtype": "bfloat16", "quantization": "4-bit", "max_tokens": 100, "score": "lrr"}
)


def used(by: Calibration, **given: Any) -> dict[str, Any]:
    settings = scorer_settings(Options(**given), by)
    return settings_used(cast(Any, FakeScorer(*settings.models, **settings.arguments)), settings, by)


def test_without_options_and_calibration_the_demo_pair_is_taken() -> None:
    settings = scorer_settings(Options(), None)
    assert (settings.models, settings.is_demo, settings.score) == (DEMO_PAIR, True, "score")
    assert settings.arguments == {
        "alignment": "reference",
        "dtype": "auto",
        "quantization": "none",
        "max_tokens": 512,
        "panel": False,
    }


def test_a_calibration_gives_every_setting_and_pins_models_of_the_hub() -> None:
    settings = scorer_settings(Options(), ALIGNED)
    assert settings.models == (f"org/base@{REVISION}", f"org/instruct@{REVISION}")
    assert settings.arguments == {
        "alignment": "aligned",
        "dtype": "bfloat16",
        "quantization": "4-bit",
        "max_tokens": 100,
        "panel": True,
    }
    refuse_other_options(settings, ALIGNED)
    refuse_other_settings(used(ALIGNED), ALIGNED)


@pytest.mark.parametrize(
    ("score", "panel"), [("score", False), ("log_ppl", False), ("fast_detect", True), ("surprisal_sd", True)]
)
def test_the_panel_is_computed_where_the_score_needs_it(score: str, panel: bool) -> None:
    assert scorer_settings(Options(score=score), None).arguments["panel"] is panel


OTHER: dict[str, Any] = {
    "observer": "org/other",
    "performer": "org/other",
    "alignment": "aligned",
    "dtype": "float16",
    "quantization": "8-bit",
    "max_tokens": 100,
    "score": "fast_detect",
}


@pytest.mark.parametrize("key", OTHER)
def test_another_setting_is_refused_before_and_after_the_models_are_loaded(key: str) -> None:
    by, given = calibration(), {key: OTHER[key]}
    expected = f"{key} is {OTHER[key]!r} here, {BINDING[key]!r} in the calibration"
    with pytest.raises(CalibrationError, match=expected):
        refuse_other_options(scorer_settings(Options(**given), by), by)
    with pytest.raises(CalibrationError, match=expected):
        refuse_other_settings(used(by, **given), by)


def test_the_same_options_are_no_others() -> None:
    by = calibration()
    given = {key: BINDING[key] for key in OTHER}
    refuse_other_options(scorer_settings(Options(**given), by), by)
    refuse_other_settings(used(by, **given), by)
    refuse_other_options(scorer_settings(Options(dtype="auto"), by), by)


def bound_to_directory(name: str, revision: str) -> Calibration:
    return calibration(binding=BINDING | {"observer": name, "observer_revision": revision})


def test_another_revision_is_refused_and_a_directory_that_was_moved_is_not() -> None:
    for name, revision, here, fits in [
        ("/there/base", "f1", "/here/base", True),
        ("/there/base", "f2", "/here/base", False),
        ("/there/base", "f2", "/there/base", False),
    ]:
        by = bound_to_directory(name, revision)
        settings = scorer_settings(Options(observer=here), by)
        refuse_other_options(settings, by)
        scorer = FakeScorer(*settings.models, **settings.arguments)
        scorer.pair.observer = model(here, "f1")
        result = settings_used(cast(Any, scorer), settings, by)
        if fits:
            refuse_other_settings(result, by)
        else:
            with pytest.raises(CalibrationError, match="observer_revision is 'f1' here, 'f2' in the cal") as caught:
                refuse_other_settings(result, by)
            assert ("observer is '/here/base' here" in str(caught.value)) == (here != name)


def test_a_built_in_model_is_not_another_one_because_both_are_of_one_build() -> None:
    by = calibration(binding=BINDING | {"performer": "builtin://tiny-instruct", "performer_revision": "b"})
    settings = scorer_settings(Options(performer="builtin://tiny-base"), by)
    assert settings.models[1] == "builtin://tiny-base"
    with pytest.raises(CalibrationError, match="performer is 'builtin://tiny-base'"):
        refuse_other_options(settings, by)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_calibration_fits_any_revision_and_nothing_else(name: str) -> None:
    by = read_calibration(f"published:{name}")
    assert by.promise is None
    assert "arXiv 2401.12070" in str(by.published)
    settings = scorer_settings(Options(), by)
    assert settings.models == ("tiiuae/falcon-7b", "tiiuae/falcon-7b-instruct")
    assert (settings.dtype, settings.quantization, settings.max_tokens) == ("bfloat16", "none", 512)
    result = used(by)
    assert result["observer_revision"] == REVISION
    refuse_other_settings(result, by)
    with pytest.raises(CalibrationError, match="dtype is 'float32' here"):
        refuse_other_settings(result | {"dtype": "float32"}, by)


def test_published_thresholds_are_those_of_the_authors() -> None:
    thresholds = {name: read_calibration(f"published:{name}").groups[0].threshold for name in PUBLISHED}
    assert thresholds == {"falcon-accuracy": 0.9015310749276843, "falcon-low-fpr": 0.8536432310785527}


def test_an_unknown_published_calibration_names_the_known() -> None:
    with pytest.raises(CalibrationError, match=r"'published:falcon-acc' is unknown \(did you mean .*-accuracy'\?\)"):
        read_calibration("published:falcon-acc")


def test_a_prior_needs_a_curve() -> None:
    refuse_prior_without_curve(None, None)
    refuse_prior_without_curve(0.5, calibration(probability=CURVE))
    for prior, by, message in [
        (0.5, None, "--prior needs a --calibration"),
        (0.5, calibration(), r"no curve .* python -m analysis\.thresholds RUN_DIR --split 0\.2,0\.4,0\.4"),
        (0.0, calibration(probability=CURVE), "--prior is 0; give the share .* above 0 and below 1"),
        (1.0, calibration(probability=CURVE), "--prior is 1; give"),
        (50.0, calibration(probability=CURVE), "--prior is 50; give"),
    ]:
        with pytest.raises(CalibrationError, match=message):
            refuse_prior_without_curve(prior, by)


def test_a_calibration_that_does_not_say_its_settings_is_refused() -> None:
    by = calibration(binding=BINDING | {"observer": None, "max_tokens": None})
    for options in (Options(), Options(observer="org/base", max_tokens=512)):
        with pytest.raises(CalibrationError, match="does not say its observer, max_tokens, as the table"):
            scorer_settings(options, by)


def test_options_that_are_wrong_are_told() -> None:
    with pytest.raises(ScoringError, match=r"--score 'fastdetect' is unknown \(did you mean 'fast_detect'\?\)"):
        scorer_settings(Options(score="fastdetect"), None)
    with pytest.raises(ScoringError, match="name both --observer and --performer"):
        scorer_settings(Options(observer="org/base"), None)
    with pytest.raises(ModelNameError, match="is not built in"):
        scorer_settings(Options(observer="builtin://x", performer="builtin://x"), None)
    with pytest.raises(ScoringError, match="--delimiter: seen 'xx'; one character is needed"):
        text_columns("text", None, None, "xx")
    with pytest.raises(ScoringError, match="--encoding: 'utf-99' is no encoding"):
        text_columns("text", None, "utf-99", None)
    assert text_columns("text", None, None, "\\t").dialect.delimiter == "\t"


def test_a_model_is_a_directory_of_the_callers_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = scorer_settings(Options(observer="base", performer="org/instruct"), None)
    assert settings.models == (str(tmp_path / "base"), "org/instruct")
    assert SimpleNamespace(**settings.arguments).dtype == "auto"
