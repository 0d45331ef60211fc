"""Every kind of trigger is rehearsed: with a glob, with other sources, at Vertex AI, behind Identity-Aware Proxy."""

import re

from tests.ops.rehearse.rehearsals import REPLAYED, STORY, outcomes, rehearse
from tests.plans import PROD

FILES = ["✓ launched", "✓ duplicate", "✓ skipped", "✓ rejected", "✓ launched"]  # of a trigger with a glob


def test_batch_markers_start_runs_and_data_files_are_skipped() -> None:
    done = rehearse("--stack", "examples/Pulumi.batches.yaml", "--file", "examples/2026-11-22.manifest.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == [*FILES, REPLAYED]
    assert 'task validate: Output = {"columns": ["order_id", "customer", "amount"], "rows": 3}' in done.stdout


def test_each_trigger_of_the_prod_stack_is_rehearsed_with_its_own_sample() -> None:
    done = rehearse("--stack", str(PROD))
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == [*STORY, REPLAYED, *FILES]
    assert 'task validate: Output = {"columns": ["order_id", "customer", "amount"], "rows": 2}' in done.stdout
    assert "task echo: Output = gs://acme-shop-exports/catalog-2026-11-22.parquet" in done.stdout


def test_every_other_source_is_rehearsed_with_the_sample_that_is_called_like_its_trigger() -> None:
    done = rehearse("--stack", "examples/Pulumi.sources.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == [*STORY, REPLAYED, *STORY, *STORY]
    assert "task echo: Output = gs://acme-shop-exports/2026-11-22/orders.csv" in done.stdout
    assert "task echo: Output = projects/acme-ml-dev/datasets/shop/tables/orders" in done.stdout
    assert re.search(r"task echo: Output = gs://acme-orders/20\d\d-", done.stdout)
