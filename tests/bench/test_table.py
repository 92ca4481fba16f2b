"""What the table says of a goal, and what the longest list of routes is; nothing here takes the time of anything."""

from __future__ import annotations

from tests.bench import projects
from tests.bench.compiling import NAMED
from tests.bench.routing import reach
from tests.bench.row import Row, bound_row, document, ratio_row, skipped


def test_a_goal_that_is_missed_is_said() -> None:
    rows = [
        ratio_row("a", "within", "µs", (100.0, 110.0), 1.15),
        ratio_row("a", "beyond", "µs", (100.0, 120.0), 1.15),
        bound_row("b", "slow", 300.0, "ms", 250.0),
        bound_row("b", "no goal", 1.0, "s"),
        skipped("b", "no corpus"),
    ]
    assert [row.met for row in rows] == [True, False, False, None, None]
    text = document(rows, ["noisy"], {"CPU": "some"})
    assert "| within | 100 µs | 110 µs | 1.10 | ratio ≤ 1.15 | yes |" in text
    assert "| beyond | 100 µs | 120 µs | 1.20 | ratio ≤ 1.15 | **no** |" in text
    assert "| slow |  | 300 ms |  | ≤ 250 ms | **no** |" in text
    assert text.index("## a") < text.index("## b") < text.index("noisy")


def test_lists_stay_short_however_many_operations() -> None:
    few, many = (reach(projects.generated(count, native=True)) for count in (10, 500))
    assert few == many
    deep = reach(projects.generated(300, base="/repos/{owner}/{repo}", native=True))
    assert deep[0] == many[0]
    assert deep[1] <= 10


def test_generated_contracts_have_so_many_operations_and_names_to_change() -> None:
    contract = projects.generated(100)
    operations = [o for item in contract["paths"].values() for m, o in item.items() if m != "parameters"]
    assert len(operations) == 100
    assert len(NAMED.findall(projects.text_of(contract))) == 100
    assert isinstance(skipped("a", "b"), Row)
