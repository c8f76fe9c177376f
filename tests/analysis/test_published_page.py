"""The numbers of the published study, as rows of a run: its tables and its conclusions are on the page."""

from pathlib import Path

import pytest

from analysis.report import write_report
from tests.analysis.page_data import Article, PageData
from tests.analysis.published_numbers import (
    AUTO,
    BY_CORES_S,
    BY_QUANTIZATION_S,
    BY_STRATEGY_S,
    CPU,
    GTX,
    K80,
    LOAD_S,
    SEQUENTIAL,
    Place,
    loading_means,
    write_published,
)

pytestmark = pytest.mark.slow
NAMES: dict[Place, str] = {
    GTX: "gtx-1070",
    K80: "k80",
    CPU: "cpu",
    SEQUENTIAL: "gpu x3 (sequential)",
    AUTO: "gpu x3 (auto)",
}


def articles_of(directory: Path, n: int) -> dict[str, Article]:
    """Articles of the page, by number of the section and title."""
    write_published(directory, n)
    data = PageData(write_report(directory).read_text(encoding="utf-8"))
    return {heading.removeprefix("01 LLaMA3-8B: § "): article for heading, article in data.articles.items()}


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Article]:
    return articles_of(tmp_path_factory.mktemp("published") / "three", 3)


@pytest.fixture(scope="module")
def with_five(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Article]:
    return articles_of(tmp_path_factory.mktemp("published") / "five", 5)


def means_of(article: Article) -> dict[tuple[str, str], float]:
    """Means of the first table of a section, by the first name of the row and the title of the column."""
    header, *rows = article.tables[0]
    return {
        (row[0], title): float(cell.split()[0])
        for row in rows
        for title, cell in zip(header[1:], row[1:], strict=True)
        if cell.replace(".", "").replace(",", "").strip().split(" ")[0].isdigit()
    }


def test_loading_times_are_those_of_section_1_3(articles: dict[str, Article]) -> None:
    means = means_of(articles["1.3 Loading time averages, 16 CPU cores"])
    for (place, source), mean in loading_means().items():
        assert means[source, f"device map {NAMES[place]}"] == pytest.approx(mean, rel=1e-3)
    for place, ends in LOAD_S.items():
        column = [mean for (_, title), mean in means.items() if title == f"device map {NAMES[place]}"]
        assert (min(column), max(column)) == ends


def test_inference_times_are_those_of_sections_2_3_2_8_and_3_2(articles: dict[str, Article]) -> None:
    by_quantization = means_of(articles["2.3 Inference time averages, 256 tokens, 4 cores"])
    assert by_quantization == {
        (NAMES[place], f"quantization {bits}"): mean for (place, bits), mean in BY_QUANTIZATION_S.items()
    }
    by_cores = means_of(articles["2.8 Inference time averages, CPU only, 256 tokens"])
    assert by_cores == {(str(cores), "inference time (s)"): mean for cores, mean in BY_CORES_S.items()}
    by_strategy = means_of(articles["3.2 Inference time averages K80 vs GTX1070, 256 tokens"])
    assert by_strategy == {
        (strategy, f"device map {NAMES[place]}"): mean for (strategy, place), mean in BY_STRATEGY_S.items()
    }


def said_in(article: Article, *beginnings: str) -> list[str]:
    """The sentences of a section with each of these beginnings."""
    return [sentence for sentence in article.sentences if sentence.startswith(beginnings)]


def test_three_iterations_give_the_published_conclusions_on_gpus_and_strategies(
    articles: dict[str, Article],
) -> None:
    inference = articles["2.6, 2.9 Observations, conclusions"]
    assert said_in(inference, "Device map, from faster to slower: gtx-1070; then k80.")
    assert said_in(inference, "Quantization, from faster to slower: 4-bit; then 8-bit.")
    assert said_in(inference, "CPU cores: no claim (too few to tell, a level has 3 values and 5 are needed).")
    strategies = articles["3.3 Conclusion"]
    assert said_in(strategies, "Decoding strategy, from faster to slower: greedy; then beam_search.")
    assert said_in(strategies, "Device map, from faster to slower: gtx-1070; then k80.")


def test_loading_falls_into_the_published_groups(articles: dict[str, Article]) -> None:
    loading = articles["1.4–1.5 Observations, conclusions"]
    (groups,) = said_in(loading, "Device map, from faster to slower: ")
    first, second = groups.removeprefix("Device map, from faster to slower: ").split("; then ")
    assert "gtx-1070" in first
    assert "gpu x3 (sequential)" in first
    assert "k80" in second
    assert "gpu x3 (auto)" in second
    assert said_in(loading, "Device map and quantization: cpu with none is faster than all others")


def test_five_iterations_tell_that_more_than_four_cores_do_not_help_the_cpu(
    with_five: dict[str, Article],
) -> None:
    inference = with_five["2.6, 2.9 Observations, conclusions"]
    assert said_in(inference, "CPU cores, from faster to slower: 4; then 16; then 1.")
    assert said_in(inference, "More CPU cores than 4 do not help: the gain is below 5%.")
    best = said_in(inference, "Best generation rate of ")
    assert any("configurations: device map gtx-1070, quantization 4-bit, CPU cores 4" in said for said in best)


def test_a_warm_start_says_that_no_load_was_cold(articles: dict[str, Article]) -> None:
    inference = articles["2.6, 2.9 Observations, conclusions"]
    (said,) = said_in(inference, "Mean time from a ")
    assert said == (
        "Mean time from a warm start to 256 new tokens (no load was cold: the files were in the page cache): 218.8 s = "
        "load 2.800 + generate 216.0 (n = 3 loads and 3 generations; too few to tell an interval), with device map: "
        "cpu, quantization: none, CPU cores: 16, loaded warm from hub."
    )
