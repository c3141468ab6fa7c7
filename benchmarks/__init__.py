"""Commands that measure: ``python -m benchmarks --help``. They print figures and judge nothing by themselves."""
