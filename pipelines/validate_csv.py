"""Checks a CSV file that the trigger file names, before anything is trained on it."""

from kfp import dsl

from pipelines.images import PYTHON


@dsl.component(base_image=PYTHON)
def validate(data: dsl.Input[dsl.Dataset], required_columns: list) -> dict:
    """Reports rows and columns; fails when a required column is missing or a row is of another length."""
    import csv

    with open(data.path, newline="") as file:  # noqa: PTH123 a component brings its imports along
        header, *rows = list(csv.reader(file)) or [[]]
    missing = [column for column in required_columns if column not in header]
    if missing:
        raise ValueError(f"{data.uri} has no column {missing}; it has {header}")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"{data.uri}, line {line}: {len(row)} values for {len(header)} columns")
    return {"rows": len(rows), "columns": header}


@dsl.pipeline(name="validate-csv", description="Validates the CSV file that the trigger file names.")
def pipeline(csv_uri: str, required_columns: list) -> dict:
    """Validates the CSV file that the trigger file names.

    Nothing is cached: the file may have changed under its name.
    """
    data = dsl.importer(artifact_uri=csv_uri, artifact_class=dsl.Dataset, reimport=True)
    report = validate(data=data.output, required_columns=required_columns)
    report.set_caching_options(False)
    return report.output
