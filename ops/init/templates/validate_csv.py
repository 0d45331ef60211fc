"""Checks a CSV file before anything is done with it."""

from kfp import dsl

from pipelines.images import PYTHON


@dsl.component(base_image=PYTHON)
def validate(data: dsl.Input[dsl.Dataset], required_columns: list) -> dict:
    """Reports rows and columns; fails when a column is missing or a row is of another length."""
    import csv
    from pathlib import Path

    with Path(data.path).open(newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    problems = [f"there is no column {column}" for column in required_columns if column not in header]
    problems += [
        f"line {line} has {len(row)} values for {len(header)} columns"
        for line, row in enumerate(rows, start=2)
        if len(row) != len(header)
    ]
    if problems:
        listed = f"{data.uri}: {'; '.join(problems)}"
        raise ValueError(listed)
    return {"rows": len(rows), "columns": header}


@dsl.pipeline(name="validate-a-csv", description="Checks a CSV file.")
def pipeline(csv_uri: str, required_columns: list) -> dict:
    """Checks a CSV file. Nothing is cached: the file may have changed under its name."""
    data = dsl.importer(artifact_uri=csv_uri, artifact_class=dsl.Dataset, reimport=True)
    report = validate(data=data.output, required_columns=required_columns)
    report.set_caching_options(False)
    return report.output
