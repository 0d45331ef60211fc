"""Trains on a CSV file: fits a line through two of its columns. Put your own training in the place of ``fit``."""

from kfp import dsl

from pipelines.images import PYTHON


@dsl.component(base_image=PYTHON)
def fit(
    data: dsl.Input[dsl.Dataset],
    feature: str,
    label: str,
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> float:
    """Fits a line by least squares, and writes it down as JSON; returns its correlation with the data."""
    import csv
    import json
    import statistics
    from pathlib import Path

    with Path(data.path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    features, labels = ([float(row[column]) for row in rows] for column in (feature, label))
    slope, intercept = statistics.linear_regression(features, labels)
    correlation = statistics.correlation(features, labels)
    Path(model.path).write_text(json.dumps({"slope": slope, "intercept": intercept}))
    metrics.log_metric("correlation", correlation)
    metrics.log_metric("rows", len(rows))
    return correlation


@dsl.pipeline(name="train-on-a-file", description="Trains a model on a CSV file.")
def pipeline(data_uri: str, feature: str, label: str) -> float:
    """Trains a model on a CSV file. Nothing is cached: the file may have changed under its name."""
    data = dsl.importer(artifact_uri=data_uri, artifact_class=dsl.Dataset, reimport=True)
    fitted = fit(data=data.output, feature=feature, label=label)
    fitted.set_caching_options(False)
    return fitted.outputs["Output"]
